//! What a workload writes: every line, in order, once.

use super::{Bench, lines};
use futures::StreamExt;
use std::time::Duration;

const MANY: usize = 100_000;

pub(super) async fn no_line_is_lost_or_repeated(bench: &Bench) {
    let id = bench.launch(&bench.spec("many", &format!("seq 1 {MANY}; sleep 0.3; echo end"))).await;
    let whole: Vec<String> = (1..=MANY).map(|n| n.to_string()).chain(["end".to_owned()]).collect();

    let mut early = bench.first.logs(&id).await.unwrap();
    for want in &whole[..1000] {
        assert_eq!(early.next().await.unwrap().unwrap(), *want);
    }
    drop(early);
    // One reader in the middle of it, one that stalls, then one of a node that was started again.
    let stalled = async {
        let mut stream = bench.first.logs(&id).await.unwrap();
        let first = stream.next().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        let rest: Vec<String> = stream.map(Result::unwrap).collect().await;
        [vec![first], rest].concat()
    };
    let (a, b) = tokio::join!(lines(&*bench.first, &id), stalled);
    for (who, got) in [("again", a), ("stalled", b), ("restarted", lines(&*bench.second, &id).await)] {
        assert_eq!(got.len(), whole.len(), "{who}: {:?} …", got.last());
        assert!(got == whole, "{who}: lines differ");
    }
}

pub(super) async fn lines_come_as_they_are_written(bench: &Bench) {
    let script = "for n in 1 2 3; do echo $n; while [ ! -e /work/$n ]; do sleep 0.01; done; done";
    let (spec, folder) = bench.with_folder("follow", script);
    let id = bench.launch(&spec).await;
    let mut stream = bench.first.logs(&id).await.unwrap();
    for n in ["1", "2", "3"] {
        // The workload goes on only when this line was seen: a reader that waits for more hangs here.
        assert_eq!(stream.next().await.unwrap().unwrap(), n);
        std::fs::write(folder.join(n), "").unwrap();
    }
    assert!(stream.next().await.is_none());
}

pub(super) async fn short_lives_are_told_whole(bench: &Bench) {
    for n in 0..12 {
        let (lines, exit) = bench.script(&format!("short{n}"), "echo a; echo b; echo c").await;
        assert_eq!((lines.join(" ").as_str(), exit.code), ("a b c", 0), "run {n}");
    }
    assert_eq!(bench.script("silent", "exit 0").await.0, [""; 0]);
}

pub(super) async fn odd_output_comes_through(bench: &Bench) {
    let script = r#"printf 'tab\there\n\n'; echo aside >&2; printf '\377\n'
        head -c 200000 /dev/zero | tr '\0' x; echo; printf 'no newline'"#;
    let (lines, exit) = bench.script("odd", script).await;
    assert_eq!(exit.code, 0);
    let long = "x".repeat(200_000);
    assert_eq!(lines.len(), 5, "{:?}", lines.iter().map(String::len).collect::<Vec<_>>());
    assert!(lines == ["tab\there", "", "\u{fffd}", &long, "no newline"]);

    // Engines keep long lines in pieces: around their sizes nothing may be joined, cut or altered.
    let sizes = [4096, 16383, 16384, 16385, 32768, 65536, 65537, 1 << 20];
    let script = sizes.map(|n| format!("head -c {n} /dev/zero | tr '\\0' y; echo; echo {n};")).concat();
    let (lines, _) = bench.script("sizes", &script).await;
    let want: Vec<String> = sizes.iter().flat_map(|n| ["y".repeat(*n), n.to_string()]).collect();
    assert!(lines == want, "{:?}", lines.iter().map(String::len).collect::<Vec<_>>());

    let script = "i=0; while [ $i -lt 20000 ]; do printf '€'; i=$((i+1)); done; echo";
    assert!(bench.script("wide", script).await.0 == ["€".repeat(20_000)], "no character is broken");
}
