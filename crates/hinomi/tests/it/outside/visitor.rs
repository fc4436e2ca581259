//! Visitors: curl with a jar of its own, from an address of loopback.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Background, HINOMI, Installation, until};

/// Looks that go on at one time.
pub(super) const AT_ONCE: u8 = 4;

/// How long a look may take here: the bound of the program, and a busy machine.
const PATIENCE: Duration = Duration::from_secs(150);

/// A server with looks from outside.
pub(super) struct Serving {
    url: String,
    running: Option<Background>,
    traced: bool,
}

impl Serving {
    /// Under this scope, with these settings besides; `how` is a name for a trace of its system calls, or where to serve.
    pub(super) fn start(here: &Installation, scope: &Path, more: &str, how: Option<&str>) -> Self {
        let (own, other) = if more.starts_with('[') { ("", more) } else { (more, "") };
        let text = format!("[outside-probe]\nscope = \"{}\"\n{own}\n{other}\n", scope.display());
        std::fs::write(here.state().join("web.toml"), text).expect("written");
        match how {
            Some("::1") => Self::serve(here, &["--address", "::1"]),
            Some(trace) => Self::traced(here, &here.path(trace)),
            None => Self::serve(here, &[]),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn without(here: &Installation) -> Self {
        Self::serve(here, &[])
    }

    fn serve(here: &Installation, further: &[&str]) -> Self {
        let (running, line) = here.start(&[&["serve", "--port", "0", "--json"], further].concat());
        Self { url: url_of(&line), running: Some(running), traced: false }
    }

    fn traced(here: &Installation, trace: &Path) -> Self {
        let mut command = Command::new("strace");
        command
            .args(["-f", "-yy", "--seccomp-bpf", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o"])
            .arg(trace)
            .arg(HINOMI);
        command.args(["serve", "--port", "0", "--json", "--state"]).arg(here.state());
        let (running, line) = Background::with_first_line(command);
        Self { url: url_of(&line), running: Some(running), traced: true }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        if !self.traced {
            return;
        }
        // strace ends with the server, which it started.
        let children = format!("/proc/{0}/task/{0}/children", running.id());
        let children = std::fs::read_to_string(children).expect("its child");
        let asked = Command::new("kill").arg("-INT").args(children.split_whitespace()).status();
        assert!(asked.is_ok_and(|status| status.success()), "the server is asked to end");
        running.ended();
    }
}

fn url_of(line: &str) -> String {
    let told: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let url = told["url"].as_str().expect("an address").to_owned();
    // Behind a proxy it would be https: the test is the proxy, and speaks to it as one.
    url.replacen("https://", "http://", 1)
}

/// An answer: status, where it leads, and the whole text with its head.
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) leads: String,
    pub(super) text: String,
}

/// Somebody at an address, with a browser's memory.
pub(super) struct Visitor {
    jar: std::rc::Rc<tempfile::TempDir>,
    address: String,
    url: String,
    further: Vec<String>,
}

/// Who comes from this address.
pub(super) fn visitor(address: &str, serving: &Serving) -> Visitor {
    let jar = std::rc::Rc::new(tempfile::tempdir().expect("a folder"));
    Visitor { jar, address: address.to_owned(), url: serving.url.clone(), further: Vec::new() }
}

impl Visitor {
    /// The same browser at another address.
    pub(super) fn from(&self, address: &str) -> Self {
        Self { address: address.to_owned(), ..self.with(&[]) }
    }

    /// The same with these arguments of curl in the place of others.
    pub(super) fn with(&self, further: &[&str]) -> Self {
        let further = further.iter().map(|each| (*each).to_owned()).collect();
        Self { jar: std::rc::Rc::clone(&self.jar), address: self.address.clone(), url: self.url.clone(), further }
    }

    fn jar(&self) -> PathBuf {
        self.jar.path().join("jar")
    }

    fn command(&self, path: &str, further: &[String]) -> Command {
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--include",
            "--max-time",
            "60",
            "--noproxy",
            "*",
            "--header",
            "Accept-Language: en",
        ]);
        command.args(["--interface", &self.address]).args(&self.further).args(further);
        command.arg("--cookie").arg(self.jar()).arg("--cookie-jar").arg(self.jar());
        command.arg(format!("{}{path}", self.url));
        command
    }

    fn ask(&self, path: &str, further: &[String]) -> Said {
        let output = self.command(path, further).output().expect("curl is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let head = |name: &str| text.lines().find(|line| line.to_lowercase().starts_with(name));
        let leads = head("location: ").map(|line| line["location: ".len()..].trim().to_owned()).unwrap_or_default();
        Said { status: status_of(&text), leads, text }
    }

    pub(super) fn get(&self, path: &str) -> Said {
        self.ask(path, &[])
    }

    /// Sends a form as a browser does from our own page.
    pub(super) fn post(&self, fields: &[(&str, &str)]) -> Said {
        self.post_to("/self-check/outside", fields)
    }

    /// The same to another page.
    pub(super) fn post_to(&self, path: &str, fields: &[(&str, &str)]) -> Said {
        let origin = ["--header".to_owned(), format!("Origin: {}", self.origin())];
        self.ask(path, &[&origin, fields_of(fields).as_slice()].concat())
    }

    /// The same without saying where it comes from.
    pub(super) fn post_as_is(&self, fields: &[(&str, &str)]) -> Said {
        self.ask("/self-check/outside", &fields_of(fields))
    }

    /// By a name that the server knows; behind a proxy browsers say `https`.
    fn origin(&self) -> String {
        match self.further.iter().any(|each| each.starts_with("X-Forwarded-For")) {
            true => self.url.replacen("http://", "https://", 1),
            false => self.url.clone(),
        }
    }

    /// What the form carries.
    pub(super) fn proof(&self) -> String {
        self.field("proof")
    }

    /// A field that the form carries.
    pub(super) fn field(&self, name: &str) -> String {
        let said = self.get("/self-check/outside");
        let mark = format!("name=\"{name}\" value=\"");
        let value = said.text.split(&mark).nth(1).and_then(|rest| rest.split('"').next());
        value.unwrap_or_else(|| panic!("no form: {}", said.text)).to_owned()
    }

    /// Reads the form and agrees.
    pub(super) fn agree(&self) -> Said {
        let proof = self.proof();
        self.post(&[("mine", "yes"), ("proof", &proof), ("token", "")])
    }

    /// What is shown when the look has ended, however it did.
    pub(super) fn ended(&self) -> Said {
        let mut last = None;
        until("the look ends", PATIENCE, || {
            let said = self.get("/self-check/outside");
            let goes_on = said.text.to_lowercase().contains("\r\nrefresh: ") || said.text.contains("\nrefresh: ");
            last = Some(said);
            !goes_on
        });
        last.expect("looked at")
    }

    /// The result.
    pub(super) fn result(&self) -> String {
        let said = self.ended();
        assert!(said.status == 200 && said.text.contains("id=\"answer\""), "no result: {}", said.text);
        assert!(said.text.to_lowercase().contains("cache-control: no-store"));
        said.text
    }
}

fn status_of(text: &str) -> u16 {
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {text}"))
}

fn fields_of(fields: &[(&str, &str)]) -> Vec<String> {
    let each = |(name, value): &(&str, &str)| ["--data-urlencode".to_owned(), format!("{name}={value}")];
    ["--data".to_owned(), String::new()].into_iter().chain(fields.iter().flat_map(each)).collect()
}

/// Several agree at the same moment; what each is told.
pub(super) fn agree_to(visitors: &[&Visitor]) -> Vec<u16> {
    let proofs: Vec<String> = visitors.iter().map(|visitor| visitor.proof()).collect();
    let asking = visitors.iter().zip(&proofs).map(|(visitor, proof)| {
        let origin = ["--header".to_owned(), format!("Origin: {}", visitor.origin())];
        let fields = fields_of(&[("mine", "yes"), ("proof", proof)]);
        let mut command = visitor.command("/self-check/outside", &[&origin, fields.as_slice()].concat());
        command.stdout(std::process::Stdio::piped()).spawn().expect("curl is installed")
    });
    let asking: Vec<_> = asking.collect();
    let told = asking.into_iter().map(|child| child.wait_with_output().expect("ends").stdout);
    told.map(|stdout| status_of(&String::from_utf8_lossy(&stdout))).collect()
}
