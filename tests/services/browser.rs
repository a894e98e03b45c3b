//! A browser without a window, which shows a page and does what a person would: Chromium, told by its DevTools protocol.
//!
//! Rule: every wait has a limit and says what it waited for; the browser and its profile go with the value.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// Longer than a browser takes to start or a page to change, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What Chromium is called where it may be installed.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A page in a browser of its own.
pub(crate) struct Page {
    socket: WebSocket<TcpStream>,
    requests: u64,
    /// What went wrong in the page's own code, as it came.
    thrown: Vec<String>,
    _browser: Browser,
}

struct Browser {
    process: Child,
    profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Page {
    /// Opens an address; `None` where no browser is installed, which is an error where `CI` is set.
    pub(crate) fn open(address: &str) -> Option<Page> {
        let Some(browser) = Browser::start() else {
            let missing = format!("no page is looked at: none of {NAMES:?} is installed");
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{missing}");
            eprintln!("{missing}");
            return None;
        };
        let address_of_page = browser.page();
        let host = address_of_page.trim_start_matches("ws://").split('/').next().unwrap();
        let stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = tungstenite::client(&*address_of_page, stream).unwrap();
        let mut page = Page { socket, requests: 0, thrown: Vec::new(), _browser: browser };
        page.call("Runtime.enable", json!({}));
        page.call("Page.navigate", json!({ "url": address }));
        page.until("document.readyState === 'complete' && location.protocol === 'http:'");
        // Gone as soon as somebody loads the page anew.
        page.look("window.isTheFirst = true");
        Some(page)
    }

    /// What an expression gives in the page.
    #[track_caller]
    pub(crate) fn look(&mut self, expression: &str) -> Value {
        let given = self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        assert!(given["exceptionDetails"].is_null(), "`{expression}`: {given}");
        given["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        let begin = Instant::now();
        while self.look(expression) != true {
            if begin.elapsed() > PATIENCE {
                let shown = self.look("document.body.innerText");
                panic!("`{expression}` was not true within {PATIENCE:?}; the page says {shown}");
            }
            sleep(LOOK_EVERY);
        }
    }

    /// Waits until an element says this and nothing else.
    #[track_caller]
    pub(crate) fn until_says(&mut self, selector: &str, text: &str) {
        self.until(&format!("document.querySelector({})?.innerText === {}", json!(selector), json!(text)));
    }

    /// Presses the mouse in the middle of an element.
    #[track_caller]
    pub(crate) fn click(&mut self, selector: &str) {
        let middle = self.look(&format!(
            "{{ const element = document.querySelector({}); element.scrollIntoView();
                const {{ x, y, width, height }} = element.getBoundingClientRect(); [x + width / 2, y + height / 2] }}",
            json!(selector)
        ));
        for what in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": what, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Types a text in the place of what a field has.
    #[track_caller]
    pub(crate) fn write(&mut self, selector: &str, text: &str) {
        self.look(&format!("document.querySelector({}).select()", json!(selector)));
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Chooses an entry of a list by its value.
    #[track_caller]
    pub(crate) fn choose(&mut self, selector: &str, value: &str) {
        self.look(&format!(
            "{{ const list = document.querySelector({}); list.value = {};
                list.dispatchEvent(new Event('change', {{ bubbles: true }})) }}",
            json!(selector),
            json!(value)
        ));
    }

    /// Keeps a picture where `TIDEMILL_PICTURES` names a folder: those of the guide are made so.
    #[track_caller]
    pub(crate) fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("TIDEMILL_PICTURES") else { return };
        self.look("scrollTo(0, 0)");
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let bytes = data_encoding::BASE64.decode(picture["data"].as_str().unwrap().as_bytes()).unwrap();
        std::fs::write(Path::new(&folder).join(name).with_extension("png"), bytes).unwrap();
    }

    /// Checks that nothing failed in the page's code, and that what it shows came without loading it anew.
    #[track_caller]
    pub(crate) fn end(mut self) {
        assert_eq!(self.look("window.isTheFirst"), true, "the page was loaded anew");
        assert!(self.thrown.is_empty(), "{:?}", self.thrown);
    }

    /// Calls a method of the protocol, and gives its result.
    #[track_caller]
    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.requests += 1;
        let request = json!({ "id": self.requests, "method": method, "params": parameters });
        self.socket.send(Message::text(request.to_string())).unwrap();
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let message = self.socket.read().unwrap_or_else(|error| panic!("`{method}` was not answered: {error}"));
            let Ok(said) = serde_json::from_str::<Value>(message.to_text().unwrap()) else { continue };
            if said["method"] == "Runtime.exceptionThrown" {
                self.thrown.push(said["params"]["exceptionDetails"].to_string());
            }
            if said["id"] == self.requests {
                assert!(said["error"].is_null(), "`{method}`: {}", said["error"]);
                return said["result"].clone();
            }
        }
        panic!("`{method}` was not answered within {PATIENCE:?}");
    }
}

impl Browser {
    fn start() -> Option<Browser> {
        let name = NAMES.into_iter().find(|name| {
            let asked = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            asked.is_ok_and(|status| status.success())
        })?;
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new(name);
        // In a container there is nobody but root, whom the sandbox refuses, and little shared memory. The only pages are the examples'.
        command.args(["--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"]);
        command.args(["--remote-debugging-port=0", "--window-size=1000,540", "--hide-scrollbars", "about:blank"]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Some(Browser { process, profile })
    }

    /// Where its page is told what to do. The browser writes its port into its profile once it listens.
    fn page(&self) -> String {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let told = std::fs::read_to_string(self.profile.path().join("DevToolsActivePort")).unwrap_or_default();
            if let Some((port, _)) = told.split_once('\n') {
                let listed = ureq::get(format!("http://127.0.0.1:{port}/json/list")).call();
                let pages: Vec<Value> = listed.unwrap().body_mut().read_json().unwrap();
                let page = pages.into_iter().find(|page| page["type"] == "page");
                if let Some(address) = page.as_ref().and_then(|page| page["webSocketDebuggerUrl"].as_str()) {
                    return address.to_owned();
                }
            }
            sleep(LOOK_EVERY);
        }
        panic!("the browser had no page within {PATIENCE:?}");
    }
}
