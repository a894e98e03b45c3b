//! Tests and lints of the repository: `cargo xtask` says what there is.

mod arguments;
mod broker;
mod compare;
mod counts;
mod kafka;
mod release;
mod report;
mod step;
mod steps;
mod tools;
mod watch;

use std::process::ExitCode;

use arguments::{Asked, Options};
use step::Step;

fn main() -> ExitCode {
    let done = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Asked::Help) => {
            print!("{}", arguments::HELP);
            Ok(true)
        }
        Ok(Asked::Broker(asked)) => broker::run(&asked),
        Ok(Asked::Compare(flags)) => compare::run(&flags),
        Ok(Asked::Test(options)) => carry_out(steps::of_test(&options), &options),
        Ok(Asked::Lint(options)) => carry_out(steps::of_lint(), &options),
        Ok(Asked::ReleaseCheck(options)) => carry_out(release::of_release_check(), &options),
        Err(reason) => Err(reason),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(2)
        }
    }
}

/// Runs the steps one after another, all of them whatever fails, and says whether everything passed.
fn carry_out(steps: Vec<Step>, options: &Options) -> Result<bool, String> {
    let (steps, left_out) = split(steps, &options.without)?;
    tools::provide(&steps, options.may_install)?;
    let outcomes: Vec<_> = steps.into_iter().map(step::run).collect();
    print!("{}", report::table(&outcomes, &left_out));
    Ok(outcomes.iter().all(|outcome| outcome.passed))
}

/// The steps to run, and the names of those that `without` leaves out.
fn split(steps: Vec<Step>, without: &[String]) -> Result<(Vec<Step>, Vec<&'static str>), String> {
    let names: Vec<_> = steps.iter().map(|step| step.name).collect();
    if let Some(unknown) = without.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("there is no step `{unknown}` to leave out; the steps are `{}`", names.join("`, `")));
    }
    let (left_out, kept): (Vec<_>, Vec<_>) =
        steps.into_iter().partition(|step| without.iter().any(|name| name == step.name));
    if kept.is_empty() {
        return Err("every step is left out; name fewer of them after `--without`".into());
    }
    Ok((kept, left_out.iter().map(|step| step.name).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_left_out_by_name_and_unknown_names_are_refused() {
        let (kept, left_out) = split(steps::of_lint(), &["deny".into()]).unwrap();
        assert!(kept.iter().all(|step| step.name != "deny") && !kept.is_empty());
        assert_eq!(left_out, ["deny"]);
        let reason = split(steps::of_lint(), &["denny".into()]).err().unwrap();
        assert!(reason.contains("`denny`") && reason.contains("`deny`"), "{reason}");
        let all: Vec<String> = steps::of_lint().iter().map(|step| step.name.into()).collect();
        assert!(split(steps::of_lint(), &all).is_err());
    }
}
