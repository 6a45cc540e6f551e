//! The adapter against `oidc-provider`, a certified provider, run on loopback and asked as a browser would.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Method, Request, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ikigai_memory::VirtualClock;
use ikigai_oidc::{OidcOptions, OidcProvider};
use ikigai_ports::identity::{Identity, Journey};
use ikigai_ports::signer::Secret;
use ikigai_ports::{IdentityProvider, PortError, PortResult, Secrets};
use ikigai_types::Timestamp;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const REDIRECT: &str = "http://localhost:7420/login";

/// The provider as a process; it ends with this.
struct Real {
    child: Child,
    port: u16,
}

impl Real {
    /// `None` when it is not there, which is said.
    fn start(test: &str) -> Option<Self> {
        let folder = std::env::var("IKIGAI_OIDC_PROVIDER").unwrap_or_default();
        if folder.is_empty() {
            let text = format!("SKIPPED {test}: IKIGAI_OIDC_PROVIDER is not set (run: make setup-tests)");
            assert!(std::env::var("IKIGAI_REQUIRE_BROWSER").as_deref() != Ok("1"), "{text}");
            // Not by the macro: what a test prints with it is shown only when the test fails.
            let _ = writeln!(std::io::stderr(), "{text}");
            return None;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oidc/provider.mjs");
        let mut command = Command::new("node");
        command.arg(script).args([&*folder, REDIRECT]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Self { child, port: line.trim().parse().unwrap() })
    }

    fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn adapter(&self, issuer: &str, later: Duration) -> OidcProvider {
        let options = OidcOptions {
            name: "the test".into(),
            issuer: issuer.into(),
            client_id: "ikigai".into(),
            secret: Some((Arc::new(Known), "client".into())),
            redirect: REDIRECT.into(),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + later;
        let now = Timestamp(now.as_millis().try_into().unwrap());
        OidcProvider::new(options, Arc::new(VirtualClock::new(now))).unwrap()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Known;

#[async_trait::async_trait]
impl Secrets for Known {
    async fn resolve(&self, _: &str, audience: &str) -> PortResult<Secret> {
        assert_eq!(audience, "127.0.0.1");
        Ok(Secret::new("a secret of the test"))
    }
}

/// A browser that follows one log-in.
struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new() -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), cookies: BTreeMap::new() }
    }

    /// Where it is sent on to.
    async fn go(&mut self, method: Method, uri: &str, form: &'static str) -> String {
        let cookies: Vec<_> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = Request::builder().method(method).uri(uri).header(COOKIE, cookies.join("; "));
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self.client.request(request.body(form.into()).unwrap()).await.unwrap();
        for set in answer.headers().get_all(SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(pair.0.to_owned(), pair.1.to_owned());
        }
        let to = answer.headers().get(LOCATION).unwrap_or_else(|| panic!("{uri}: {}", answer.status()));
        let base: Uri = uri.parse().unwrap();
        let to = to.to_str().unwrap();
        if to.starts_with('/') { format!("http://{}{to}", base.authority().unwrap()) } else { to.to_owned() }
    }

    /// Logs somebody in at the provider; the code it is sent back with, and the state.
    async fn log_in(mut self, journey: &Journey, form: &'static str) -> (String, String) {
        let login = self.go(Method::GET, &journey.url, "").await;
        let resume = self.go(Method::POST, &login, form).await;
        let consent = self.go(Method::GET, &resume, "").await;
        let resume = self.go(Method::POST, &consent, "prompt=consent").await;
        let back = self.go(Method::GET, &resume, "").await;
        let query = back.strip_prefix(REDIRECT).and_then(|r| r.strip_prefix('?')).unwrap();
        let value = |name: &str| {
            let found = query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
            found.unwrap().to_owned()
        };
        (value("code"), value("state"))
    }
}

const ALICE: &str = "prompt=login&login=alice&password=x";

fn refused(answer: PortResult<Identity>) -> String {
    match answer {
        Err(PortError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_logs_in_there_is_who_it_says_and_a_code_is_good_once() {
    let Some(real) = Real::start("who_logs_in_there_is_who_it_says_and_a_code_is_good_once") else { return };
    let provider = real.adapter(&real.issuer(), Duration::ZERO);
    let journey = provider.begin().await.unwrap();
    for part in ["code_challenge_method=S256", "response_type=code", "nonce=", "scope=openid+email"] {
        assert!(journey.url.contains(part), "{part}: {}", journey.url);
    }
    let (code, state) = Browser::new().log_in(&journey, ALICE).await;
    assert_eq!(state, journey.state);
    let alice = Identity { subject: "alice".into(), email: Some("alice@example.org".into()) };
    assert_eq!(provider.finish(&journey, &code).await.unwrap(), alice);
    assert!(refused(provider.finish(&journey, &code).await).contains("code is not taken"));

    let journey = provider.begin().await.unwrap();
    let (code, _) = Browser::new().log_in(&journey, "prompt=login&login=mallory&password=x").await;
    let mallory = Identity { subject: "mallory".into(), email: None };
    assert_eq!(
        provider.finish(&journey, &code).await.unwrap(),
        mallory,
        "an address nobody verified is none"
    );
}

#[tokio::test]
async fn what_is_of_another_journey_is_refused() {
    let Some(real) = Real::start("what_is_of_another_journey_is_refused") else { return };
    let provider = real.adapter(&real.issuer(), Duration::ZERO);
    let (ours, other) = (provider.begin().await.unwrap(), provider.begin().await.unwrap());
    let (code, _) = Browser::new().log_in(&ours, ALICE).await;
    let nonce = Journey { nonce: other.nonce.clone(), ..ours.clone() };
    assert!(refused(provider.finish(&nonce, &code).await).to_lowercase().contains("nonce"));
    let (code, _) = Browser::new().log_in(&ours, ALICE).await;
    let verifier = Journey { verifier: other.verifier.clone(), ..ours.clone() };
    assert!(refused(provider.finish(&verifier, &code).await).contains("code is not taken"));
    assert!(refused(provider.finish(&ours, "made up").await).contains("code is not taken"));
}

#[tokio::test]
async fn a_token_whose_time_is_over_is_refused() {
    let Some(real) = Real::start("a_token_whose_time_is_over_is_refused") else { return };
    let provider = real.adapter(&real.issuer(), Duration::from_secs(2 * 60 * 60));
    let journey = provider.begin().await.unwrap();
    let (code, _) = Browser::new().log_in(&journey, ALICE).await;
    assert!(refused(provider.finish(&journey, &code).await).to_lowercase().contains("expired"));
}

#[tokio::test]
async fn a_provider_of_another_name_is_refused() {
    let Some(real) = Real::start("a_provider_of_another_name_is_refused") else { return };
    let other = format!("http://localhost:{}", real.port);
    let answer = real.adapter(&other, Duration::ZERO).begin().await;
    assert!(matches!(&answer, Err(e) if e.chain().contains("issuer")), "{answer:?}");
    let away = real.adapter("http://127.0.0.1:9", Duration::ZERO).begin().await;
    assert!(matches!(away, Err(PortError::Unavailable { .. })), "{away:?}");
}

#[test]
fn nothing_is_sent_to_another_machine_in_the_clear() {
    for (issuer, redirect) in
        [("http://id.example", REDIRECT), ("https://id.example", "http://box.lan/login"), ("id", REDIRECT)]
    {
        let options = OidcOptions {
            name: String::new(),
            issuer: issuer.into(),
            client_id: "ikigai".into(),
            secret: None,
            redirect: redirect.into(),
        };
        let made = OidcProvider::new(options, Arc::new(VirtualClock::new(Timestamp(0))));
        assert!(matches!(made, Err(PortError::Refused(_))), "{issuer} {redirect}");
    }
}
