# サインイン
problem-sign-in = 先にサインインしてください
problem-not-entitled = これをご覧いただく権限がありません
