//! `reset` says what it would do, and does it when told so.

use tidemill::log::{Log, TopicSpec};
use tidemill::record::{Offset, TopicPartition};

use crate::scene::{Ended, Scene, tidemill};

fn reset(scene: &Scene, arguments: &[&str]) -> Ended {
    tidemill(&[&["reset", scene.path().to_str().unwrap()], arguments].concat())
}

fn next(scene: &Scene) -> Offset {
    scene.log().progress("shop").unwrap().inputs[&TopicPartition::new("orders", 0)].next
}

#[test]
fn it_shows_first_and_does_it_then() {
    let scene = Scene::new();
    scene.log().create_topic(&TopicSpec::new("shop-sums-changelog", 2)).unwrap();
    let state = scene.path().join("state").join("shop");
    std::fs::create_dir_all(&state).unwrap();
    let expected =
        format!("begin orders-0 at 0 instead of 3\ndelete topic shop-sums-changelog\nremove {}\n", state.display());
    let shown = reset(&scene, &["shop"]);
    assert_eq!((shown.code, &shown.stdout), (Some(0), &expected));
    assert!(shown.stderr.contains("nothing was changed") && shown.stderr.contains("`--yes`"), "{}", shown.stderr);
    assert!(state.exists() && next(&scene) == Offset::new(3));
    let done = reset(&scene, &["shop", "--yes"]);
    assert_eq!((done.code, &done.stdout), (Some(0), &expected), "{}", done.stderr);
    assert!(!state.exists() && next(&scene) == Offset::ZERO);
    assert!(scene.log().topic("shop-sums-changelog").unwrap().is_none());
    let again = reset(&scene, &["shop", "--yes"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), ""));
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);
}

#[test]
fn it_goes_where_it_is_told() {
    let scene = Scene::new();
    for (to, offset) in [("end", 4), ("1700000060000", 1), ("2023-11-14T22:15:20", 2), ("1d", 4), ("start", 0)] {
        let done = reset(&scene, &["shop", "--to", to, "--input", "orders", "--yes"]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert_eq!(next(&scene), Offset::new(offset), "{to}");
    }
    let wrong = reset(&scene, &["shop", "--to", "soon"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("`soon`") && wrong.stderr.contains("`start`"), "{}", wrong.stderr);
}

#[test]
fn what_it_cannot_do_it_says() {
    let scene = Scene::new();
    let strange = reset(&scene, &["shoq"]);
    assert_eq!(strange.code, Some(1));
    assert!(strange.stderr.contains("`shoq` has nothing here; these have: `shop`"), "{}", strange.stderr);
    let unread = reset(&scene, &["shop", "--input", "prices"]);
    assert_eq!(unread.code, Some(1));
    assert!(unread.stderr.contains("read nothing of `prices`: it has read `orders`"), "{}", unread.stderr);
    let _log = scene.log();
    let running = reset(&scene, &["shop", "--yes"]);
    assert_eq!(running.code, Some(3), "{}", running.stderr);
    assert_eq!(reset(&scene, &["shop"]).code, Some(0), "looking takes no lock");
}
