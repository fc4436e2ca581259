// Passkeys on the pages for signing in and of one's account. Without this script there are passwords.
"use strict";

(() => {
  if (!window.PublicKeyCredential) return;

  const decode = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  };
  const encode = (buffer) => {
    const plain = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };
  const post = async (path, headers, body) => {
    const answer = await fetch(path, { method: "POST", headers, body, credentials: "same-origin" });
    if (!answer.ok) {
      const problem = await answer.json().catch(() => ({}));
      if (problem.code === "again") location.assign(`/account/again?to=${encodeURIComponent(location.pathname)}`);
      throw new Error(String(answer.status));
    }
    return answer;
  };
  const withKeys = (key) => {
    key.challenge = decode(key.challenge);
    if (key.user) key.user.id = decode(key.user.id);
    for (const known of [...(key.excludeCredentials || []), ...(key.allowCredentials || [])]) known.id = decode(known.id);
    return { publicKey: key };
  };
  const told = (credential) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = encode(credential.response[name]);
    }
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return JSON.stringify({
      id: credential.id,
      rawId: encode(credential.rawId),
      type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment,
      clientExtensionResults: credential.getClientExtensionResults(),
      response,
    });
  };
  const trying = async (place, work) => {
    const status = place.querySelector("[role=status]");
    status.textContent = "";
    try {
      await work();
    } catch {
      status.textContent = place.dataset.failed;
    }
  };

  const entry = document.getElementById("passkey-sign-in");
  if (entry) {
    entry.hidden = false;
    entry.querySelector("button").addEventListener("click", () =>
      trying(entry, async () => {
        const path = entry.dataset.path || "/sign-in/passkey";
        const headers = entry.dataset.token ? { "X-Hinomi-Token": entry.dataset.token } : {};
        const options = await (await post(path, headers)).json();
        const credential = await navigator.credentials.get(withKeys(options));
        headers["Content-Type"] = "application/json";
        await post(`${path}/end`, headers, told(credential));
        location.assign(entry.dataset.to);
      }),
    );
  }

  const form = document.getElementById("passkey-register");
  if (form) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      trying(form, async () => {
        const headers = { "X-Hinomi-Token": form.dataset.token };
        const options = await (await post("/account/passkeys", headers)).json();
        const credential = await navigator.credentials.create(withKeys(options));
        headers["Content-Type"] = "application/json";
        headers["X-Hinomi-Label"] = encodeURIComponent(form.elements.label.value);
        await post("/account/passkeys/end", headers, told(credential));
        location.reload();
      });
    });
  }
})();
