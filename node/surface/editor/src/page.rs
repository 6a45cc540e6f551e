//! Answers the proxy gives itself.

use crate::gatekeeper::COOKIE_NAME;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

/// Why a body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// Body of everything the proxy answers.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a request does not reach an agent, or its answer not the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request is not of the form browsers send.
    Form,
    /// Host is no agent's, not there once, or has another port.
    Host,
    /// Another origin calls.
    Origin,
    /// There is no session.
    Session,
    /// The link is used, too old or not ours.
    Link,
    /// The path is ours and nothing is there.
    NotHere,
    /// A service worker that would see our own paths.
    Worker,
    /// The request is larger than may be.
    Size,
    /// The agent has ended.
    Ended,
    /// Too many requests are on their way to editors.
    Busy,
    /// The editor cannot be reached.
    Away(String),
    /// The editor does not answer in time.
    Slow,
    /// The agent's answer leads elsewhere.
    Elsewhere,
    /// The agent's answer is none.
    Answer,
}

impl Refusal {
    /// Status, what it is, and what to do.
    fn say(&self) -> (StatusCode, &str, &str) {
        const OPEN: &str = "run: ikigai open <task>";
        const RELOAD: &str = "wait a moment, then reload this page";
        match self {
            Self::Form => {
                (StatusCode::BAD_REQUEST, "This request is not served.", "open the page in a browser")
            }
            Self::Host => (StatusCode::MISDIRECTED_REQUEST, "There is no agent of this name.", OPEN),
            Self::Origin => (StatusCode::FORBIDDEN, "Pages of other sites may not call this one.", OPEN),
            Self::Session => (StatusCode::UNAUTHORIZED, "You have no session with this editor.", OPEN),
            Self::Link => (StatusCode::UNAUTHORIZED, "This link was used, or is older than a minute.", OPEN),
            Self::NotHere => (StatusCode::NOT_FOUND, "Nothing is here.", OPEN),
            Self::Worker => (StatusCode::FORBIDDEN, "This service worker may not run here.", "nothing to do"),
            Self::Size => (StatusCode::PAYLOAD_TOO_LARGE, "This is too large.", "send at most 1 GiB"),
            Self::Ended => (StatusCode::GONE, "This agent has ended.", "run: ikigai task ls"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Too many requests at once.", RELOAD),
            Self::Away(why) => (StatusCode::BAD_GATEWAY, why, RELOAD),
            Self::Slow => (StatusCode::GATEWAY_TIMEOUT, "The editor does not answer.", RELOAD),
            Self::Elsewhere => {
                (StatusCode::BAD_GATEWAY, "The agent tried to send you to another site.", "go back")
            }
            Self::Answer => (StatusCode::BAD_GATEWAY, "The editor's answer cannot be read.", RELOAD),
        }
    }

    /// The refusal as a page.
    pub fn page(&self) -> Response<Body> {
        let (status, what, hint) = self.say();
        let text = format!("<p>{}</p><p><code>{}</code></p>", escape(what), escape(hint));
        let mut page = html(status, "", &text);
        // What may follow on the connection is not read as a request.
        page.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        page
    }
}

/// Sends the browser from the link to the editor, with its session.
pub fn opened(session: &str) -> Response<Body> {
    let mut response = html(StatusCode::SEE_OTHER, "", "");
    let cookie = format!("{COOKIE_NAME}={session}; HttpOnly; SameSite=Strict; Path=/");
    let cookie = HeaderValue::from_str(&cookie).expect("invariant: a session is hex");
    response.headers_mut().insert(SET_COOKIE, cookie);
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/"));
    response
}

/// Asks the browser to come again by itself: coming from another site it kept its strict cookie back.
pub fn again() -> Response<Body> {
    html(StatusCode::OK, "<meta http-equiv=\"refresh\" content=\"0\">", "<p>Opening the editor …</p>")
}

fn html(status: StatusCode, head: &str, text: &str) -> Response<Body> {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">{head}<title>Ikigai editor</title>\
         <style>body{{font:16px/1.5 system-ui;margin:20vh auto;max-width:32em;padding:0 1em}}</style></head>\
         <body>{text}</body></html>\n"
    );
    let body = Full::new(Bytes::from(page)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_says_is_text_in_a_page() {
        assert_eq!(escape("<script>&\u{1b}[0m"), "&lt;script&gt;&amp; [0m");
    }
}
