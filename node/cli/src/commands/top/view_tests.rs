//! Frames, as a terminal of 80 columns and 24 lines shows them.

use super::*;
use crate::commands::top::keys::Ask;
use ikigai_ports::NodeHandle as _;
use ikigai_ports::testsuite::fake_node::FakeNode;
use ikigai_types::Timestamp;
use ikigai_wire::api::{Command, Filter};
use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;

const NOW: Timestamp = Timestamp(1_795_300_000_000);

async fn shop() -> (FakeNode, Model) {
    let fake = FakeNode::shop(NOW, "/shop");
    let mut model = Model::new(NOW, true);
    model.take(fake.snapshot(Filter::default()).await.unwrap());
    (fake, model)
}

fn frame(model: &Model, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|f| draw(model, f.area(), f.buffer_mut())).unwrap();
    terminal.backend().buffer().clone()
}

fn shown(model: &Model) -> String {
    let buf = frame(model, 80, 24);
    buf.content.chunks(80).map(|c| line(c).trim_end().to_owned() + "\n").collect()
}

fn press(model: &mut Model, keys: &str) -> Vec<Ask> {
    let code = |c| match c {
        '\n' => KeyCode::Enter,
        '\u{1b}' => KeyCode::Esc,
        c => KeyCode::Char(c),
    };
    keys.chars().filter_map(|c| model.key(KeyEvent::new(code(c), KeyModifiers::NONE))).collect()
}

#[tokio::test]
async fn the_list_has_what_needs_a_person_first() {
    let (_, model) = shop().await;
    assert_snapshot!(shown(&model));
}

#[tokio::test]
async fn a_task_is_shown_with_its_newest_lines() {
    let (_, mut model) = shop().await;
    press(&mut model, "jjj\n");
    let attempt = model.wants_lines().unwrap();
    assert_eq!(attempt.task.short(), "T003");
    model.add_lines(&attempt, ["agent started".to_owned(), "reading src/cart.py".to_owned()]);
    assert_snapshot!(shown(&model));
}

#[tokio::test]
async fn what_is_old_says_so() {
    let (_, mut model) = shop().await;
    model.now = NOW.after(Duration::from_secs(75));
    model.lose("/run/ikigai.sock does not answer");
    assert_snapshot!(shown(&model).lines().take(6).collect::<Vec<_>>().join("\n"));
    let mut empty = Model::new(NOW, true);
    empty.lose("nobody");
    assert!(shown(&empty).contains("NOT CONNECTED: trying again (nobody)"));
}

#[tokio::test]
async fn without_colour_no_cell_has_one() {
    let (_, mut model) = shop().await;
    let colours = |m: &Model| frame(m, 80, 24).content.iter().filter(|c| c.fg != Color::Reset).count();
    assert!(colours(&model) > 0);
    model.colour = false;
    model.lose("away");
    assert_eq!(colours(&model), 0);
}

#[tokio::test]
async fn accepting_asks_first_and_only_y_is_yes() {
    let (_, mut model) = shop().await;
    // What failed stands before what can be reviewed.
    assert_eq!(press(&mut model, "a"), []);
    assert_eq!(model.prompt, Prompt::Note("T006 has no patch to accept".to_owned()));
    assert_eq!(press(&mut model, "jan"), [], "n is no");
    assert_eq!(model.prompt, Prompt::Note("nothing was accepted".to_owned()));
    assert_eq!(press(&mut model, "aq"), [], "nor is a key that means something else");
    press(&mut model, "a");
    assert!(shown(&model).contains("accept and merge the patch of T002? y / any other key"));
    let asked = press(&mut model, "y");
    assert!(matches!(&asked[..], [Ask::Command(t, Command::Accept { force: false })] if t.short() == "T002"));
}

#[tokio::test]
async fn keys_are_about_the_task_that_is_seen() {
    let (fake, mut model) = shop().await;
    let paused = press(&mut model, "jjj\np");
    assert!(matches!(&paused[..], [Ask::Command(t, Command::Pause)] if t.short() == "T003"));
    fake.turn("T003", "paused", "is paused");
    model.take(fake.snapshot(Filter::default()).await.unwrap());
    assert!(matches!(&press(&mut model, "p")[..], [Ask::Command(t, Command::Resume)] if t.short() == "T003"));
    assert!(matches!(&press(&mut model, "o")[..], [Ask::Open(t)] if t.short() == "T003"));
    assert_eq!(press(&mut model, "\u{1b}?q"), [Ask::Quit]);
}

#[tokio::test]
async fn a_filter_narrows_and_the_selection_stays_where_it_can() {
    let (_, mut model) = shop().await;
    press(&mut model, "/cart");
    let listed: Vec<_> = model.rows().iter().filter_map(|r| r.task()).map(|t| t.short.clone()).collect();
    assert_eq!(listed, ["T003", "T004"]);
    assert_eq!(model.selected.as_ref().map(|t| t.short().to_owned()).as_deref(), Some("T003"));
    press(&mut model, "\nj");
    assert!(shown(&model).contains("only what has: cart"));
    press(&mut model, "\u{1b}");
    assert_eq!(
        model.selected.as_ref().map(|t| t.short().to_owned()).as_deref(),
        Some("T004"),
        "it was selected"
    );
    press(&mut model, "/zzz\n");
    assert!(shown(&model).contains("nothing fits the filter"));
}

#[tokio::test]
async fn any_size_is_drawn_and_the_selected_row_is_always_seen() {
    let (fake, _) = shop().await;
    for n in 0..40 {
        fake.twin("T003", &format!("{n:03}-more"));
    }
    let mut model = Model::new(NOW, true);
    model.take(fake.snapshot(Filter::default()).await.unwrap());
    for (width, height) in [(1, 1), (39, 5), (40, 6), (60, 12), (80, 24), (300, 90)] {
        for keys in ["g", "G", "\n", "l", "?", "\u{1b}"] {
            press(&mut model, keys);
            frame(&model, width, height);
        }
    }
    press(&mut model, "G");
    let seen = frame(&model, 80, 24).content.iter().any(|c| c.modifier.contains(Modifier::REVERSED));
    assert!(seen, "{}", shown(&model));
}

#[tokio::test]
async fn what_others_wrote_cannot_draw() {
    let (fake, mut model) = shop().await;
    fake.edit("T003", |t| t.title = "\u{1b}[2J\u{202e}evil\u{7}".to_owned());
    model.take(fake.snapshot(Filter::default()).await.unwrap());
    assert!(shown(&model).contains("  evil\n"), "{}", shown(&model));
}

#[tokio::test]
async fn older_lines_stay_where_they_are_while_new_ones_come() {
    let (_, mut model) = shop().await;
    press(&mut model, "jjjl");
    let attempt = model.wants_lines().unwrap();
    model.add_lines(&attempt, (0..100).map(|n| format!("line {n}")));
    press(&mut model, "kkkkk");
    let before = shown(&model);
    model.add_lines(&attempt, ["another".to_owned()]);
    let after = shown(&model);
    assert!(before.contains("line 94\n") && !before.contains("line 95"), "{before}");
    assert_eq!(before.lines().nth(10), after.lines().nth(10));
    press(&mut model, "G");
    assert!(shown(&model).contains("another"));
}
