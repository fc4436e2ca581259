# Signing in
problem-sign-in = Sign in first
problem-not-entitled = This is not for you to see
