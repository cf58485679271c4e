//! Chromium, driven by chromedriver: a window that a test looks into. Started per test, ended with it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::world::{PASSWORD, World};

/// Starts a driver; gives the port it listens on. It picks a free one for IPv4 and then wants the same for IPv6, and ends
/// when another took that meanwhile, so it is asked more than once.
fn drive() -> (Child, u16) {
    for _ in 0..5 {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts: install chromium-driver");
        let said = BufReader::new(driver.stdout.take().expect("its words"));
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let port = line.split("successfully on port ").nth(1)?;
            port.trim_end_matches('.').parse().ok()
        });
        if let Some(port) = port {
            return (driver, port);
        }
        let _its_end = driver.wait();
    }
    panic!("chromedriver tells its port");
}

/// A window, and the driver behind it.
pub struct Browser {
    pub client: Client,
    base: String,
    driver: Child,
}

impl Browser {
    /// Opens a window of this size whose pages are asked for in this language.
    pub async fn open(world: &World, language: &str, size: (u32, u32)) -> Browser {
        Browser::at(&world.server.base_url, language, size).await
    }

    /// The same, at a server of the test's own.
    pub async fn at(base_url: &str, language: &str, (width, height): (u32, u32)) -> Browser {
        let (driver, port) = drive();
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            format!("--window-size={width},{height}"),
        ];
        let mobile = if width < 600 {
            json!({"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1.0}})
        } else {
            Value::Null
        };
        let mut options = json!({"args": arguments, "prefs": {"intl.accept_languages": language}});
        if !mobile.is_null() {
            options["mobileEmulation"] = mobile;
        }
        let mut wanted = serde_json::Map::new();
        wanted.insert("goog:chromeOptions".into(), options);
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a window of Chromium");
        Browser {
            client,
            base: base_url.to_owned(),
            driver,
        }
    }

    /// Goes to a path of the server.
    pub async fn go(&self, path: &str) {
        self.client
            .goto(&format!("{}{path}", self.base))
            .await
            .expect("the page");
    }

    /// Logs in with the form, as a person does.
    pub async fn log_in(&self, login: &str) {
        self.go("/login").await;
        self.find("#login")
            .await
            .send_keys(login)
            .await
            .expect("typed");
        self.find("#password")
            .await
            .send_keys(PASSWORD)
            .await
            .expect("typed");
        self.find("button[type=submit].btn-primary")
            .await
            .click()
            .await
            .expect("clicked");
        self.until("the login is over", "return location.pathname !== '/login'")
            .await;
    }

    /// The one element of this selector.
    pub async fn find(&self, selector: &str) -> fantoccini::elements::Element {
        self.client
            .find(Locator::Css(selector))
            .await
            .unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// What a script gives.
    pub async fn ask(&self, script: &str) -> Value {
        self.client
            .execute(script, Vec::new())
            .await
            .unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until a script gives true.
    pub async fn until(&self, what: &str, script: &str) {
        let began = Instant::now();
        while self.ask(script).await != Value::Bool(true) {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "waited in vain until {what}: {}",
                self.text().await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Everything a person can read.
    pub async fn text(&self) -> String {
        self.ask("return document.body.innerText")
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Ends window and driver.
    pub async fn close(mut self) {
        let _closed = self.client.clone().close().await;
        let _gone = self.driver.kill();
        let _waited = self.driver.wait();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _gone = self.driver.kill();
        let _waited = self.driver.wait();
    }
}

/// Runs a test's steps to their end.
pub fn play(steps: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(steps);
}
