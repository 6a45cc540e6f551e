//! Feature directories are named as Spec-Kit's own script names them.

use ikigai_speckit::{FeatureError, feature_name, next_feature_number, short_name};

#[test]
fn the_same_names_as_the_official_script() {
    let mut compared = 0;
    for line in include_str!("fixtures/feature-names.tsv").lines().filter(|l| !l.starts_with("# ")) {
        let (description, expected) = line.rsplit_once('\t').expect("two columns");
        let name = feature_name(1, &description.replace("\\t", "\t"));
        match expected {
            "!" => assert!(name.is_err(), "{description:?} gave {name:?}"),
            expected => assert_eq!(name.as_deref(), Ok(expected), "{description:?}"),
        }
        compared += 1;
    }
    assert!(compared >= 200, "only {compared} compared");
}

#[test]
fn the_next_number_follows_the_highest_and_skips_time_stamps() {
    let next = |names: &[&str]| next_feature_number(names.iter().copied());
    assert_eq!(next(&[]), Ok(1));
    assert_eq!(next(&["001-a", "007-b", "003-c"]), Ok(8));
    assert_eq!(next(&["010-octal", "08-two-digits", "notes", "9-x", "012"]), Ok(11));
    assert_eq!(next(&["1234-four-digits"]), Ok(1235));
    assert_eq!(next(&["20260102-030405-stamp", "002-b"]), Ok(3));
    assert_eq!(next(&["20260102-0304-no-stamp"]), Ok(20_260_103));
    assert_eq!(next(&["99999999999999999999-too-big", "004-d"]), Ok(5));
    assert_eq!(next(&["9223372036854775807-last"]), Err(FeatureError::NumbersUsedUp));
}

#[test]
fn numbers_are_padded_as_a_floor_and_names_fit_in_244_bytes() {
    assert_eq!(feature_name(1000, "Photo album").as_deref(), Ok("1000-photo-album"));
    let long = feature_name(12, &"写".repeat(200)).expect("a name");
    assert_eq!((long.len(), long.starts_with("012-写")), (244, true));
}

#[test]
fn short_names_are_cleaned_not_filtered() {
    assert_eq!(short_name("--The User_Auth!  2--").as_deref(), Some("the-user-auth-2"));
    assert_eq!(short_name("!!!"), None);
}

#[test]
fn what_has_no_name_says_what_to_do() {
    assert_eq!(feature_name(1, " \n"), Err(FeatureError::Empty));
    let error = feature_name(1, "?!").expect_err("no letters");
    assert_eq!(error.to_string(), "the description has no letter and no digit");
    assert_eq!(error.hint(), "describe the feature in a few words, or give a short name");
}
