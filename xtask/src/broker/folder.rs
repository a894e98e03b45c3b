//! Where Kafka and the brokers lie: one folder in the user's cache.
//!
//! ```text
//! <cache>/tidemill/kafka/4.3.0/                   the jars of this version
//! <cache>/tidemill/kafka/brokers/19092/           one broker: data/ server.properties broker.log broker.pid
//! <cache>/tidemill/kafka/brokers/19092.lock       held while it is being started
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};

use super::Port;

/// Everything of all brokers.
pub(crate) fn home() -> Result<PathBuf, String> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    let cache = cache.ok_or("nobody said where to keep Kafka: set `XDG_CACHE_HOME`, or `HOME`, to a folder")?;
    Ok(cache.join("tidemill").join("kafka"))
}

/// The folder of one broker.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    port: Port,
    path: PathBuf,
}

impl Folder {
    pub(super) fn of(port: Port) -> Result<Folder, String> {
        Ok(Folder::in_home(&home()?, port))
    }

    fn in_home(home: &Path, port: Port) -> Folder {
        Folder { port, path: home.join("brokers").join(port.to_string()) }
    }

    /// The folders of all brokers, by port.
    pub(super) fn all() -> Vec<Folder> {
        home().map(|home| Folder::all_in(&home)).unwrap_or_default()
    }

    fn all_in(home: &Path) -> Vec<Folder> {
        let entries = home.join("brokers").read_dir().into_iter().flatten().filter_map(Result::ok);
        let ports =
            entries.filter(|entry| entry.path().is_dir()).filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut ports: Vec<Port> = ports.collect();
        ports.sort();
        ports.into_iter().map(|port| Folder::in_home(home, port)).collect()
    }

    pub(super) fn port(&self) -> Port {
        self.port
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn properties(&self) -> PathBuf {
        self.path.join("server.properties")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("broker.log")
    }

    pub(super) fn pid(&self) -> PathBuf {
        self.path.join("broker.pid")
    }

    /// An empty folder in place of whatever was there.
    pub(super) fn renew(&self) -> Result<(), String> {
        self.remove()?;
        std::fs::create_dir_all(self.data()).map_err(|error| self.failed("make", &error))
    }

    pub(super) fn remove(&self) -> Result<(), String> {
        match std::fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(self.failed("remove", &error)),
            _ => Ok(()),
        }
    }

    /// Keeps every other call from starting a broker here, as long as the result lives; `None`: one is being started.
    pub(super) fn claim(&self) -> Result<Option<File>, String> {
        let above = self.path.parent().expect("a folder of a broker lies in another one");
        let file = std::fs::create_dir_all(above).and_then(|()| File::create(self.path.with_extension("lock")));
        let file = file.map_err(|error| self.failed("lock", &error))?;
        Ok(file.try_lock().is_ok().then_some(file))
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> String {
        format!("cannot {what} `{}`: {error}; see to its permissions, or set `XDG_CACHE_HOME`", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_found_by_their_folders() {
        let home = std::env::temp_dir().join(format!("tidemill-xtask-folders-{}", std::process::id()));
        let ports = ["20000", "3000"].map(|port| port.parse::<Port>().unwrap());
        for port in ports {
            Folder::in_home(&home, port).renew().unwrap();
        }
        std::fs::create_dir_all(home.join("brokers").join("else")).unwrap();
        let held = Folder::in_home(&home, ports[0]).claim().unwrap();
        assert!(held.is_some());
        assert!(Folder::in_home(&home, ports[0]).claim().unwrap().is_none(), "it is claimed");
        let found: Vec<Port> = Folder::all_in(&home).iter().map(Folder::port).collect();
        assert_eq!(found, [ports[1], ports[0]]);
        let first = Folder::in_home(&home, ports[0]);
        std::fs::write(first.log(), "old").unwrap();
        first.renew().unwrap();
        assert!(!first.log().exists() && first.data().exists());
        first.remove().unwrap();
        first.remove().unwrap();
        assert!(!first.path().exists());
        std::fs::remove_dir_all(&home).unwrap();
    }
}
