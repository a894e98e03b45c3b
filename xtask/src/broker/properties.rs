//! The settings that a broker is started with.

use std::path::Path;

use super::Port;

/// What all brokers have in common.
pub(super) const COMMON: &str = include_str!("../../broker/server.properties");

/// The text of a broker's `server.properties`.
pub(super) fn text(port: Port, data: &Path, settings: &[(String, String)]) -> String {
    let (broker, controller) = (port.broker(), port.controller());
    let of_its_own = format!(
        "\ncontroller.quorum.voters=1@{controller}\n\
         listeners=PLAINTEXT://{broker},CONTROLLER://{controller}\n\
         advertised.listeners=PLAINTEXT://{broker}\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs={}\n",
        data.display()
    );
    [COMMON, &of_its_own, &lines(settings)].concat()
}

/// Settings as lines that replace earlier ones.
pub(super) fn lines(settings: &[(String, String)]) -> String {
    settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_on_this_machine_alone_and_what_is_asked_for_comes_last() {
        let settings = [("node.id".to_owned(), "7".to_owned())];
        let text = text("7000".parse().unwrap(), Path::new("here/data"), &settings);
        for line in [
            "listeners=PLAINTEXT://127.0.0.1:7000,CONTROLLER://127.0.0.1:7001",
            "advertised.listeners=PLAINTEXT://127.0.0.1:7000",
            "log.dirs=here/data",
            "process.roles=broker,controller",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
        }
        assert!(text.ends_with("\nnode.id=7\n"), "{text}");
    }
}
