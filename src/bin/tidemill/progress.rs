//! Shows on a terminal how far something is. Without one nothing is shown.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of bytes on standard error.
pub(crate) fn bytes(what: &'static str) -> ProgressBar {
    bar(what, "{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
}

/// A bar of records on standard error.
pub(crate) fn records(what: &'static str, total: u64) -> ProgressBar {
    let bar = bar(what, "{msg} {wide_bar} {human_pos}/{human_len} {eta}");
    bar.set_length(total);
    bar
}

fn bar(what: &'static str, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the template is sound");
    ProgressBar::new(0).with_style(style).with_message(what)
}
