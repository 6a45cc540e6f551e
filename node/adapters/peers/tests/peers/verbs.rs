//! Every verb passes through, and every failure comes out as what it was.

use crate::fake_peer::{advertisement, check, ended, fence, lines, offer, report};
use crate::{Pair, far, near};
use futures::StreamExt;
use ikigai_ports::peer::Appended;
use ikigai_ports::rpc::trace::Trace;
use ikigai_ports::{NodeHandle, PortError};
use ikigai_task::Reason;
use ikigai_types::{AttemptId, Commit, Epoch, ProjectId, TaskId};
use ikigai_wire::api::{Code, Command, Filter, NodeCommand, Problem, SubmitRequest, SubmitSource};
use ikigai_wire::peer::{Admission, Adopted, CopyAsk, Lines, News, Offer, Order, Reply, Report, Roster};
use std::time::Duration;

pub fn attempt(short: &str) -> AttemptId {
    AttemptId { task: TaskId::new(format!("1f0c2a77.001-shop.{short}")).unwrap(), number: 1 }
}

#[tokio::test]
async fn every_verb_of_a_peer_passes_through() {
    let pair = Pair::new();
    // Whatever a client says of itself, the link says who it is.
    let (peer, liar) = (pair.far(), far());
    assert_eq!(peer.offer(liar, offer()).await.unwrap(), Admission::Accepted);
    let refused = peer.offer(liar, Offer { lease_ms: 0, ..offer() }).await.unwrap();
    let wanted = Admission::Refused { text: "no room".to_owned(), advertisement: Box::new(advertisement()) };
    assert_eq!(refused, wanted);
    let stop = Order::Stop { grace: 3, reason: Reason::Evicted };
    peer.order(liar, fence(), stop).await.unwrap();
    peer.order(liar, fence(), Order::Unhold).await.unwrap();
    assert_eq!(peer.report(liar, report(ended())).await.unwrap(), Reply::Taken { lease_ms: 15_000 });
    let stale = Report { fence: ikigai_types::Fence { epoch: Epoch(0), ..fence() }, news: News::Heartbeat };
    let refused = Reply::Refused { current: Some(Epoch(7)), text: "stale".to_owned() };
    assert_eq!(peer.report(liar, stale).await.unwrap(), refused);
    let texts = ["one".to_owned(), "ü".to_owned()];
    assert_eq!(peer.append(liar, lines(&texts)).await.unwrap(), Appended::Upto(2));
    let none = Lines { fence: fence(), lines: Vec::new() };
    assert_eq!(peer.append(liar, none).await.unwrap(), Appended::Stale(Epoch(9)));
    let checked = peer.check(liar, check(Duration::from_secs(1))).await.unwrap();
    assert_eq!(checked.checks[0].command, "make test");
    let statements = vec![offer().workload; 2];
    let roster = peer.roster(liar, Roster { statements, ..Roster::default() }).await.unwrap();
    assert_eq!(roster.statements.len(), 2);
    let adopted = vec![Adopted { task: fence().attempt.task, epoch: Epoch(1_000_000) }];
    let copied = peer.copy(liar, CopyAsk { log: None, after: 4, adopted }).await.unwrap();
    assert_eq!((copied.first, copied.kept), (5, vec![fence().attempt.task]));
    let project = ProjectId::new("1f0c2a77").unwrap();
    let pack = peer.pack(liar, project, Commit("b".repeat(40)), vec![Commit("a".repeat(40))]).await.unwrap();
    assert_eq!(pack.collect::<Vec<_>>().await.len(), 0);

    let asked = pair.peer.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|(caller, _)| *caller == near()), "{asked:?}");
    let told: Vec<_> = asked.iter().map(|(_, what)| what.as_str()).collect();
    let at = fence();
    assert_eq!(told[2], format!("Stop {{ grace: 3, reason: Evicted }} {at}"));
    assert_eq!(told[4], format!("report {at} {:?}", ended()));
    let last = format!("pack 1f0c2a77 {} without 1", "b".repeat(40));
    assert_eq!((told.len(), *told.last().unwrap()), (12, last.as_str()));
}

#[tokio::test]
async fn every_verb_of_a_handle_passes_through() {
    let pair = Pair::new();
    let (node, fake) = (pair.handle(), &pair.node);
    let task = attempt("T003").task;
    let filter = Filter {
        project: Some("/srv/my shop".into()),
        states: vec!["review".into(), "failed".into()],
        ..Filter::default()
    };
    let snapshot = node.snapshot(filter.clone()).await.unwrap();
    assert!(!snapshot.tasks.is_empty());
    assert_eq!(snapshot, fake.snapshot(filter).await.unwrap());
    assert_eq!(node.task("T003").await.unwrap(), fake.task("T003").await.unwrap());
    assert_eq!(node.task("T404").await.unwrap_err(), fake.task("T404").await.unwrap_err());
    let source = SubmitSource::Text { text: "Add a \"theme\" / ü".into(), story: None, parallel: false };
    let request = SubmitRequest { source, dry_run: true, ..SubmitRequest::default() };
    assert_eq!(node.submit(request.clone()).await.unwrap(), fake.submit(request).await.unwrap());
    assert_eq!(node.command(&task, Command::Pause).await.unwrap().state, "paused");
    assert_eq!(node.command(&task, Command::Resume).await.unwrap().state, "running");
    assert!(node.steer(&snapshot.node, NodeCommand::Drain { grace: 3 }).await.unwrap().cordoned);
    assert!(!node.steer(&snapshot.node, NodeCommand::Uncordon).await.unwrap().cordoned);
    assert_eq!(node.open(&task).await.unwrap(), fake.open(&task).await.unwrap());
    let review = attempt("T002").task;
    assert_eq!(node.diff(&review).await.unwrap(), fake.diff(&review).await.unwrap());
    let lines: Vec<_> = node.logs(&attempt("T006"), 1, false).await.unwrap().collect().await;
    let wanted: Vec<_> = fake.logs(&attempt("T006"), 1, false).await.unwrap().collect().await;
    assert!(!lines.is_empty());
    assert_eq!(lines, wanted);
    let events: Vec<_> = node.events(None).await.unwrap().take(4).collect().await;
    let wanted: Vec<_> = fake.events(None).await.unwrap().take(4).collect().await;
    assert_eq!(events, wanted);
}

#[tokio::test]
async fn a_port_error_comes_back_as_the_same_variant() {
    let pair = Pair::new();
    let retry_after = Some(Duration::from_millis(2500));
    let errors = || {
        [
            PortError::NotFound("T001".to_owned()),
            PortError::Refused("sign it".to_owned()),
            PortError::Conflict("stale\nepoch ü".to_owned()),
            PortError::Unavailable { what: "the forge".to_owned(), retry_after, source: None },
            PortError::Corrupt("the pack".to_owned()),
            PortError::Unsupported("Offer"),
            PortError::failed("the merge", "exit code 128"),
        ]
    };
    pair.peer.failures.lock().unwrap().extend(errors());
    for wanted in errors() {
        let error = pair.far().offer(near(), offer()).await.unwrap_err();
        assert_eq!(format!("{error:?}"), format!("{wanted:?}"));
    }
    let long = "é".repeat(100_000);
    pair.peer.failures.lock().unwrap().push_back(PortError::failed(long.clone(), long));
    let bounded = pair.far().offer(near(), offer()).await.unwrap_err();
    assert!(matches!(bounded, PortError::Failed { .. }), "{bounded:?}");
    assert!(bounded.chain().len() < 4096);
}

#[tokio::test]
async fn a_problem_comes_back_whole() {
    let pair = Pair::new();
    let codes = [
        Code::Failed,
        Code::Usage,
        Code::NotFound,
        Code::Unauthenticated,
        Code::Denied,
        Code::Conflict,
        Code::Unreachable,
        Code::TimedOut,
    ];
    for code in codes {
        let problem = Problem { request_id: Some("7-a".into()), ..Problem::new(code, "zu spät", "do ü") };
        pair.node.fail_next(problem.clone());
        assert_eq!(pair.handle().snapshot(Filter::default()).await.unwrap_err(), problem);
        pair.node.fail_next(problem.clone());
        assert_eq!(pair.handle().events(None).await.err(), Some(problem));
    }
}

#[tokio::test]
async fn a_trace_goes_on_over_the_link() {
    let pair = Pair::new();
    let trace = Trace::of_bits(0x1234_5678_9abc);
    trace.scope(pair.far().offer(near(), offer())).await.unwrap();
    pair.far().offer(near(), offer()).await.unwrap();
    pair.far().offer(near(), offer()).await.unwrap();
    let traces = pair.peer.traces.lock().unwrap().clone();
    assert_eq!(traces[0], Some(trace));
    assert!(traces[1].is_some() && traces[1] != traces[2], "each call has a trace: {traces:?}");
}
