//! Somebody outside who repeats whatever was said: the whole request, as it came and decoded, in every field in which a CRM
//! or Telegram says what was wrong, with another status each time, and at another place of the text.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

/// A server that ends with its process; its thread waits for callers until then.
pub struct Echo {
    pub address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    pub fn start() -> Echo {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its number").to_string();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = heard.clone();
        std::thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                let told = told.clone();
                std::thread::spawn(move || serve(caller, &told));
            }
        });
        Echo { address, heard }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, whole.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn serve(mut caller: TcpStream, heard: &Mutex<Vec<String>>) {
    let _set = caller.set_read_timeout(Some(Duration::from_secs(5)));
    let Some(request) = read(&mut caller) else {
        return;
    };
    let turn = {
        let mut heard = heard.lock().unwrap();
        heard.push(request.clone());
        heard.len()
    };
    // Where a text is cut, a secret may be cut in two: the echo stands at another place each time.
    let echo = format!(
        "{}{request} {}",
        ".".repeat(turn * 13 % 390),
        decoded(&request)
    );
    let said = json!({
        "success": false, "ok": false, "errorMsg": echo, "error_code": 400, "description": echo, "title": echo,
        "detail": echo, "hint": echo, "error": echo, "error_description": echo, "message": echo, "errors": {"field": echo},
    });
    let (status, body) = match turn % 7 {
        0 => (500, echo),
        1 => (400, said.to_string()),
        2 => (401, said.to_string()),
        3 => (404, said.to_string()),
        4 => (200, said.to_string()),
        5 => (200, format!("<html>{echo}")),
        _ => {
            // Half an answer.
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n{echo}");
            let _sent = caller.write_all(head.as_bytes());
            return;
        }
    };
    let head = format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        "No",
        body.len()
    );
    let _sent = caller.write_all(format!("{head}{body}").as_bytes());
}

/// The request whole: head, and as much body as it promised.
fn read(caller: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let lower = text[..end].to_ascii_lowercase();
            let length = lower.split("content-length: ").nth(1).unwrap_or("0");
            let length: usize = length.split("\r\n").next()?.trim().parse().ok()?;
            if bytes.len() >= end + 4 + length {
                return Some(text);
            }
        }
        match caller.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// The same without percent signs.
fn decoded(text: &str) -> String {
    let bytes = text.replace('+', " ").into_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes
            .get(at + 1..at + 3)
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(code)) => {
                out.push(code);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
