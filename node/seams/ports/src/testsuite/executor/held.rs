//! What a workload is held to.

use super::Bench;
use crate::PortError;
use crate::executor::{Mount, WORKLOAD_UID};
use ikigai_types::Limits;
use std::path::Path;

pub(super) async fn it_has_no_rights(bench: &Bench) {
    let script =
        "id -u; id -g; pwd; echo $$; umask; grep -E '^(Cap|NoNewPrivs)' /proc/self/status | tr -d '\\t'; env";
    let (lines, exit) = bench.script("rights", script).await;
    assert_eq!(exit.code, 0);
    let uid = WORKLOAD_UID.to_string();
    assert_eq!(lines[..4], [&uid, &uid, "/tmp", "1"], "its user, folder, and that it is the first process");
    assert_eq!(lines[4], "0022");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(lines.contains(&format!("{set}:{}", "0".repeat(16))), "{set}: {lines:?}");
    }
    assert!(lines.contains(&"NoNewPrivs:1".to_owned()), "{lines:?}");
    assert!(lines.contains(&"GIVEN=as given".to_owned()), "{lines:?}");
    // An image may set a language of its own.
    let env = lines.iter().skip(11).filter_map(|l| l.split_once('=')).map(|(key, _)| key);
    let odd: Vec<_> = env
        .filter(|k| !["GIVEN", "PATH", "LANG", "HOSTNAME", "HOME", "PWD", "SHLVL", "_"].contains(k))
        .collect();
    assert!(odd.is_empty(), "of the node's environment nothing comes along: {odd:?}");
}

pub(super) async fn it_writes_only_where_it_may(bench: &Bench) {
    let script = "for d in / /etc /usr /usr/bin /bin /run /var /var/tmp /root /home /opt /proc /proc/sys/kernel \
                  /sys /sys/fs/cgroup /dev; do (echo x > $d/probe) 2>/dev/null && echo wrote $d; done; \
                  for d in /tmp /home/agent /dev/shm; do echo x > $d/probe || echo cannot write $d; done; \
                  stat -c '%u %n' /tmp; stat -c '%a %u %n' /home/agent; exit 0";
    let (lines, _) = bench.script("writes", script).await;
    let uid = WORKLOAD_UID;
    assert_eq!(lines, [format!("{uid} /tmp"), format!("700 {uid} /home/agent")]);
}

pub(super) async fn it_sees_only_what_is_mounted(bench: &Bench) {
    let script = "cat /seen/note; (echo x > /seen/probe) 2>/dev/null && echo wrote; \
                  echo back > /work/note; [ -e /work/../seen/sub ] && echo sub; ls -A /work; exit 0";
    let (mut spec, folder) = bench.with_folder("mounted", script);
    let seen = bench.folder("seen");
    std::fs::write(seen.join("note"), "from outside\n").unwrap();
    spec.mounts.push(Mount { source: seen.clone(), target: "/seen".into(), read_only: true });
    assert_eq!(bench.run(&spec).await.0, ["from outside", "note"]);
    assert_eq!(std::fs::read_to_string(folder.join("note")).unwrap(), "back\n");
    assert!(!seen.join("probe").exists());

    // Neither the folder beside it nor the machine's own accounts.
    let script = format!("ls {} 2>/dev/null; ls /root /home/*/.ssh 2>/dev/null; exit 0", seen.display());
    assert_eq!(bench.script("unmounted", &script).await.0, [""; 0]);
}

pub(super) async fn it_has_no_network(bench: &Bench) {
    let script = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; tail -n +2 /proc/net/route; \
                  grep -v ' lo$' /proc/net/ipv6_route; exit 0";
    let (lines, _) = bench.script("network", script).await;
    assert_eq!(lines, ["lo"], "its own loopback and no route");
}

pub(super) async fn it_is_held_to_its_limits(bench: &Bench) {
    let (lines, _) = bench.script("core", "ulimit -c; ulimit -n").await;
    assert_eq!(lines[0], "0", "no core files");
    assert!(lines[1].parse::<u64>().unwrap() <= 65_536, "open files: {lines:?}");

    let (spec, folder) = bench.with_folder("large", "trap '' XFSZ; head -c 16777216 /dev/zero > /work/large");
    assert_ne!(bench.run(&spec).await.1.code, 0);
    let size = std::fs::metadata(folder.join("large")).unwrap().len();
    assert_eq!(size, spec.limits.disk_bytes, "no file outgrows the disk limit");

    if bench.enforces("limit on processes") {
        let script = "i=0; while [ $i -lt 200 ]; do sleep 30 & i=$((i+1)); echo $i; done; echo all";
        let (lines, exit) = bench.script("forks", script).await;
        assert_ne!((lines.last().map(String::as_str), exit.code), (Some("all"), 0));
        assert!((20..48).contains(&lines.len()), "{} processes", lines.len());
    }
    if bench.enforces("cpu limit") {
        // A second of trying, a fifth of a core: what it got is far under what a free one gets.
        let script = "end=$(($(date +%s%N) + 1500000000)); while [ $(date +%s%N) -lt $end ]; do :; done; \
                      awk '{ print $14 + $15 + $16 + $17 }' /proc/self/stat /proc/$$/stat | tail -1";
        let mut spec = bench.spec("cpu", script);
        spec.limits = Limits { cpu_millis: 200, ..spec.limits };
        let ticks: u64 = bench.run(&spec).await.0[0].parse().unwrap();
        assert!(ticks < 70, "{ticks} hundredths of a second of CPU in 1.5 s at a fifth of a core");
    }
}

pub(super) async fn some_mounts_are_refused(bench: &Bench) {
    let folder = bench.folder("links");
    let link = |name: &str, to: &str| {
        std::os::unix::fs::symlink(to, folder.join(name)).unwrap();
        folder.join(name)
    };
    let socket = folder.join("plain.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let sources = [
        "/".into(),
        "/proc".into(),
        "/sys".into(),
        "/dev".into(),
        "/etc".into(),
        "/run".into(),
        "/var".into(),
        link("root", "/"),
        link("run", "/run"),
        link("kernel", "/proc/1"),
        link("chain", folder.join("run").to_str().unwrap()),
        socket,
    ];
    for source in sources {
        refused(bench, &source, "/work").await;
    }
    for target in ["/", "/proc/x", "relative", "/work/../proc"] {
        refused(bench, &folder, target).await;
    }
    let gone = folder.join("gone");
    let mut spec = bench.spec("gone", "true");
    spec.mounts = vec![Mount { source: gone, target: "/work".into(), read_only: true }];
    assert!(bench.first.launch(&spec).await.is_err(), "a folder that is not there is not made");
    assert!(!folder.join("gone").exists());
}

async fn refused(bench: &Bench, source: &Path, target: &str) {
    let mut spec = bench.spec("refused", "true");
    spec.mounts = vec![Mount { source: source.into(), target: target.into(), read_only: true }];
    let answer = bench.first.launch(&spec).await;
    assert!(matches!(answer, Err(PortError::Refused(_))), "{} at {target}: {answer:?}", source.display());
}
