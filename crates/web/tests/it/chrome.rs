//! A real browser that does as it is told (Chrome DevTools Protocol), spoken to by pipes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// How often a page is looked at until it is as expected.
const LOOKS: u32 = 600;

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    /// Closed to end the browser.
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    number: u64,
    _profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends when nobody speaks to it any more, and at the latest when its time is over; it may have ended by itself.
        drop(self.to.take());
        drop(self.child.wait());
    }
}

impl Browser {
    pub(crate) fn start() -> Self {
        let profile = TempDir::new().expect("a folder");
        // The browser speaks on the descriptors 3 and 4. With its time every read from it ends.
        let pipes = "exec timeout --kill-after=5 120 chromium \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null";
        let mut command = Command::new("sh");
        command.args(["-c", pipes, "sh", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]);
        command.args(["--no-first-run", "--disable-background-networking", "--disable-component-update"]);
        command.args(["--disable-sync", "--remote-debugging-pipe"]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
        let (to, from) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let mut browser =
            Self { child, to: Some(to), from: BufReader::new(from), session: None, number: 0, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        browser.session = browser.call("Target.attachToTarget", &attach)["sessionId"].as_str().map(str::to_owned);
        browser
    }

    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.try_call(method, parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// What the browser answers, or its error.
    fn try_call(&mut self, method: &str, parameters: &Value) -> Result<Value, Value> {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let to = self.to.as_mut().expect("open until the end");
        to.write_all(format!("{message}\0").as_bytes()).expect("the browser listens");
        loop {
            let mut answer = Vec::new();
            self.from.read_until(0, &mut answer).expect("the browser answers");
            assert_eq!(answer.pop(), Some(0), "the browser ended: is chromium installed?");
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            if answer["id"] == self.number {
                let error = &answer["error"];
                return if error.is_null() { Ok(answer["result"].clone()) } else { Err(error.clone()) };
            }
        }
    }

    /// The value of an expression on the page; nothing while there is no page, or another comes while it is asked.
    pub(crate) fn tell(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        self.try_call("Runtime.evaluate", &asked).map_or(Value::Null, |answer| answer["result"]["value"].clone())
    }

    pub(crate) fn until(&mut self, expression: &str) {
        for _ in 0..LOOKS {
            if self.tell(expression) == true {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let page = self.tell("location.href + document.body.innerText");
        panic!("never {expression}: {page}");
    }

    pub(crate) fn go(&mut self, url: &str) {
        self.call("Page.navigate", &json!({ "url": url }));
        self.until(&format!("document.readyState === 'complete' && location.href === '{url}'"));
    }
}
