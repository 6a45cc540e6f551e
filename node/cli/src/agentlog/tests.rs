//! What recorded output of agent CLIs becomes.

use super::*;
use ikigai_types::Timestamp;

const RECORDED: &str = include_str!("../../tests/fixtures/codex-0.169.jsonl");

fn entry(n: u64, stream: &str, text: &str) -> LogEntry {
    LogEntry { n, at: Timestamp(0), stream: stream.into(), text: text.into() }
}

fn read(lines: &[&str]) -> Vec<String> {
    let mut readable = Readable::default();
    let mut shown: Vec<_> =
        lines.iter().zip(1..).flat_map(|(l, n)| readable.read(entry(n, "stdout", l))).collect();
    shown.extend(readable.finish());
    shown.into_iter().flat_map(|(_, lines)| lines).collect()
}

fn item(when: &str, id: &str, fields: &str) -> String {
    format!(r#"{{"type":"item.{when}","item":{{"id":"{id}",{fields}}}}}"#)
}

fn command(when: &str, id: &str, output: &str, code: &str) -> String {
    let fields = format!(
        r#""type":"command_execution","command":"/bin/bash -lc 'make {id}'","aggregated_output":{},"exit_code":{code},"status":"x""#,
        serde_json::to_string(output).unwrap()
    );
    item(when, id, &fields)
}

#[test]
fn a_recorded_run_reads_like_a_session() {
    let lines: Vec<_> = RECORDED.lines().collect();
    let shown = read(&lines).join("\n");
    assert_eq!(
        shown,
        "session 01a1fd8f-de68-7841-adf7-b89a402f60e6
$ echo hello > hello.txt && git add hello.txt && git commit -qm \"add hello\" && git log --oneline | head -1; id -u; env|sort
  [8 lines before; --raw has all]
  CODEX_VERSION=0.169.0
  COLORTERM=
  GH_PAGER=cat
  GIT_AUTHOR_EMAIL=agent@ikigai.invalid
  GIT_AUTHOR_NAME=agent
  GIT_COMMITTER_EMAIL=agent@ikigai.invalid
  GIT_COMMITTER_NAME=agent
  GIT_PAGER=cat
  HOME=/home/agent
  HOSTNAME=63f3e96ee6ff
  LANG=C.UTF-8
  LC_ALL=C.UTF-8
  [exit 0]
add two.txt
Done: hello.txt was added.
tokens so far: 3600 in (600 cached), 102 out (15 reasoning)
error: Model metadata for `scripted` not found. Defaulting to fallback metadata; this can degrade performance and cause issues.
error: Reconnecting... 1/5 (unexpected status 403 Forbidden: budget spent: ask your operator, url: http://127.0.0.1:7425/v1/responses)
error: Reconnecting... 2/5 (unexpected status 403 Forbidden: budget spent: ask your operator, url: http://127.0.0.1:7425/v1/responses)
error: Reconnecting... 3/5 (unexpected status 403 Forbidden: budget spent: ask your operator, url: http://127.0.0.1:7425/v1/responses)
error: Reconnecting... 4/5 (unexpected status 403 Forbidden: budget spent: ask your operator, url: http://127.0.0.1:7425/v1/responses)
error: Reconnecting... 5/5 (unexpected status 403 Forbidden: budget spent: ask your operator, url: http://127.0.0.1:7425/v1/responses)
error: unexpected status 403 Forbidden: budget spent: ask your operator, url: http://127.0.0.1:7425/v1/responses
error: Quota exceeded. Check your plan and billing details."
    );
}

#[test]
fn each_record_has_its_words() {
    for (fields, words) in [
        (r#""type":"agent_message","text":"One.\nTwo.\n""#, "One.\nTwo."),
        (r#""type":"reasoning","text":"why not""#, "(thinks) why not"),
        (
            r#""type":"file_change","changes":[{"path":"/workspace/a.py","kind":"update"},{"path":"b","kind":"delete"}],"status":"failed""#,
            "update a.py [failed]\ndelete b [failed]",
        ),
        (
            r#""type":"mcp_tool_call","server":"docs","tool":"find","status":"completed""#,
            "tool docs.find: completed",
        ),
        (r#""type":"web_search","query":"rust""#, "search rust"),
        (r#""type":"error","message":"no""#, "error: no"),
    ] {
        assert_eq!(read(&[&item("completed", "i", fields)]).join("\n"), words, "{fields}");
    }
    let todo = r#""type":"todo_list","items":[{"text":"a","completed":true},{"text":"b","completed":false}]"#;
    for (when, words) in [("started", "[x] a\n[ ] b"), ("updated", "[x] a\n[ ] b"), ("completed", "")] {
        assert_eq!(read(&[&item(when, "i", todo)]).join("\n"), words, "{when}");
    }
}

#[test]
fn a_command_is_told_once_unless_something_came_between() {
    let (began, ended) = (command("started", "a", "", "null"), command("completed", "a", "out\r\n", "3"));
    assert_eq!(read(&[&began, &ended]), ["$ make a", "  out", "  [exit 3]"]);
    assert_eq!(read(&[&ended]), ["$ make a", "  out", "  [exit 3]"]);
    let (other, late) = (command("started", "b", "", "null"), command("completed", "b", "", "null"));
    assert_eq!(
        read(&[&began, &other, &ended, &late]),
        ["$ make a", "$ make b", "$ make a", "  out", "  [exit 3]", "$ make b", "  [not ended]"]
    );
}

#[test]
fn what_is_no_known_record_stays_as_it_is() {
    for line in [
        "plain text",
        "",
        "{",
        "{}",
        "[1]",
        r#"{"type":"item.completed"}"#,
        r#"{"type":"item.completed","item":{"id":"i","type":"new_kind","x":1}}"#,
        r#"{"type":"error","message":7}"#,
        r#"{"level":"info","message":"from another program"}"#,
    ] {
        assert_eq!(read(&[line]), [line]);
    }
    let mut readable = Readable::default();
    let told = RECORDED.lines().next().unwrap();
    assert_eq!(readable.read(entry(1, "stderr", told))[0].1, [told], "only the program's stdout is read");
}

#[test]
fn nothing_that_moves_a_terminal_gets_through() {
    let bad = "\u{1b}[31mred\u{1b}[0m \u{202e}evil\u{7}";
    let fields = format!(r#""type":"agent_message","text":{}"#, serde_json::to_string(bad).unwrap());
    assert_eq!(read(&[&item("completed", "i", &fields)]), ["red evil"]);
    assert_eq!(read(&[bad]), ["red evil"]);
    assert_eq!(read(&[&command("completed", "a", "10%\r20%\r\u{1b}]0;x\u{7}30%", "0")])[1], "  30%");
    let fields =
        r#""type":"command_execution","command":"a\u001b[2Jb\nc","aggregated_output":"","exit_code":0"#;
    assert_eq!(read(&[&item("completed", "i", fields)]), ["$ ab", "> c", "  [exit 0]"]);
}

#[test]
fn a_record_in_pieces_is_put_together_and_a_broken_one_is_shown_as_it_came() {
    let long = command("completed", "a", &"é line of output\n".repeat(9000), "0");
    let mut pieces: Vec<&str> = Vec::new();
    let mut rest = long.as_str();
    while rest.len() > 64 << 10 {
        let (head, tail) = rest.split_at(rest.floor_char_boundary(64 << 10));
        pieces.push(head);
        rest = tail;
    }
    pieces.push(rest);
    assert!(pieces.len() > 2);
    let shown = read(&pieces);
    assert_eq!(shown[0], "$ make a");
    assert_eq!((shown.len(), shown.last().unwrap().as_str()), (15, "  [exit 0]"));
    assert_eq!(read(&pieces[..2]), &pieces[..2], "the end never came");
    assert_eq!(read(&pieces[1..]).len(), pieces.len() - 1, "the beginning was not asked for");
}

#[test]
fn a_gap_is_shown_where_it_is() {
    let mut readable = Readable::default();
    let shown = readable.read(entry(4, "gap", "7"));
    assert_eq!(shown[0].1, ["[gap: 7 lines missing, 4 to 10]"]);
}
