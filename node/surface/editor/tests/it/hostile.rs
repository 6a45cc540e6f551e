//! An agent that tries to reach beyond its own pages.

use crate::harness::{World, text, with};

#[tokio::test]
async fn its_redirects_stay_on_its_origin() {
    let world = World::new(|request| {
        let to = request.uri().query().unwrap_or_default().to_owned();
        let mut answer = text(302, "");
        answer.headers_mut().insert("location", to.parse().unwrap());
        answer
    });
    let session = world.session().await;
    for bad in
        ["//evil.com", "http://evil.com/", "http://localhost:7420/v1/tasks", "http://b.localhost:7420/"]
    {
        let got = world.ask(&format!("GET /?{bad}"), Some(&session), &[]).await;
        assert_eq!((got.status, got.header("location")), (502, None), "{bad}");
    }
    let got = world.ask("GET /?http://a.localhost:7420/x", Some(&session), &[]).await;
    assert_eq!((got.status, got.header("location")), (302, Some("/x")));
    let got = world.ask("GET /?./y", Some(&session), &[]).await;
    assert_eq!((got.status, got.header("location")), (302, Some("./y")));
}

#[tokio::test]
async fn it_cannot_set_our_cookie_or_one_for_others() {
    let world = World::new(|_| {
        with(
            200,
            &[
                ("set-cookie", "ikigai-editor=stolen; Path=/"),
                ("set-cookie", "=ikigai-editor=stolen"),
                ("set-cookie", "wide=x; Domain=localhost"),
                ("set-cookie", "vscode-tkn=mine; Path=/"),
                ("clear-site-data", "\"cookies\""),
                ("service-worker-allowed", "/"),
                ("refresh", "0; url=http://evil.com"),
            ],
        )
    });
    let session = world.session().await;
    let got = world.ask("GET /", Some(&session), &[]).await;
    let cookies: Vec<_> = got.headers.iter().filter(|(n, _)| n == "set-cookie").map(|(_, v)| &**v).collect();
    assert_eq!(cookies, ["vscode-tkn=mine; Path=/"]);
    for gone in ["clear-site-data", "service-worker-allowed", "refresh"] {
        assert_eq!(got.header(gone), None);
    }
    assert_eq!(got.header("content-security-policy"), Some("frame-ancestors 'self'"));
}

#[tokio::test]
async fn a_page_that_adds_cookies_of_our_name_locks_only_itself_out() {
    let world = World::plain();
    let session = world.session().await;
    let cookie = format!("Cookie: ikigai-editor=planted; ikigai-editor={session}");
    assert_eq!(world.ask("GET /", None, &[&cookie]).await.status, 200);
    assert!(world.seen().iter().all(|head| !head.contains("ikigai") && !head.contains("planted")));
}

#[tokio::test]
async fn a_change_of_protocol_nobody_asked_for_is_refused() {
    let world = World::new(|_| with(101, &[("connection", "upgrade"), ("upgrade", "websocket")]));
    let session = world.session().await;
    assert_eq!(world.ask("GET /", Some(&session), &[]).await.status, 502);
}

#[tokio::test]
async fn a_head_without_end_is_no_answer() {
    let world = World::new(|_| {
        let mut answer = text(200, "x");
        for n in 0..200 {
            let name = http::HeaderName::try_from(format!("x-{n}")).unwrap();
            answer.headers_mut().insert(name, http::HeaderValue::from_static("y"));
        }
        answer
    });
    let session = world.session().await;
    assert_eq!(world.ask("GET /", Some(&session), &[]).await.status, 502);
}
