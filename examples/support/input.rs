//! Where lines come from: files, whose position is kept, and streams, which are new each time.

use std::fs::File;
use std::io::{IsTerminal, Read, Seek};
use std::path::{Path, PathBuf};

use super::Failure;
use super::lines::Lines;
use super::position::{HEAD_BYTES, Place, Position};

/// An input as the user names it.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    File(PathBuf),
    Stdin,
}

impl Input {
    /// `-` is standard input.
    pub(crate) fn named(path: PathBuf) -> Input {
        if path.as_os_str() == "-" { Input::Stdin } else { Input::File(path) }
    }

    /// The inputs of a command line; where it has none, what is piped in, and where nothing is, the file `sample`.
    pub(crate) fn given_or(paths: Vec<PathBuf>, sample: &str) -> Vec<Input> {
        match paths.is_empty() {
            true if stdin_is_piped() => vec![Input::Stdin],
            true => vec![Input::File(sample.into())],
            false => paths.into_iter().map(Input::named).collect(),
        }
    }

    /// What errors and messages call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Input::File(path) => path.display().to_string(),
            Input::Stdin => "standard input".to_owned(),
        }
    }

    /// Its length in bytes, where it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Input::File(path) => std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len()),
            Input::Stdin => None,
        }
    }

    /// The name of the feed that keeps its position.
    pub(crate) fn feed_name(&self) -> Result<String, Failure> {
        match self {
            Input::File(path) => {
                let whole = path.canonicalize().map_err(|error| cannot("open", path, &error))?;
                Ok(format!("file {}", whole.display()))
            }
            Input::Stdin => Ok("standard input".to_owned()),
        }
    }

    /// Opens it behind what was read from it before.
    pub(crate) fn open(&self, stored: Option<Vec<u8>>) -> Result<Opened, Failure> {
        let name = self.name();
        let Input::File(path) = self else { return Opened::stream(std::io::stdin(), &name) };
        let mut file = File::open(path).map_err(|error| cannot("open", path, &error))?;
        let meta = file.metadata().map_err(|error| cannot("open", path, &error))?;
        if meta.is_dir() {
            return Err(format!("`{name}` is a folder: name the files in it").into());
        }
        // A pipe or a device has neither a length nor a beginning to go back to.
        if !meta.is_file() {
            return Opened::stream(file, &name);
        }
        let mut head = Vec::with_capacity(HEAD_BYTES);
        file.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(|error| cannot("read", path, &error))?;
        file.rewind().map_err(|error| cannot("read", path, &error))?;
        let mut position = Position::read(stored)?;
        let start = position.choose(&name, &head, meta.len())?;
        let reader: Box<dyn Read + Send> = Box::new(file);
        Ok(Opened { lines: Lines::new(reader, &name).skip_to(start)?, position, start })
    }
}

/// An input that is being read.
pub(crate) struct Opened {
    pub(crate) lines: Lines<Box<dyn Read + Send>>,
    pub(crate) position: Position,
    /// Where reading goes on.
    pub(crate) start: Place,
}

impl Opened {
    /// A stream: new input, whatever it was called before.
    fn stream(reader: impl Read + Send + 'static, name: &str) -> Result<Opened, Failure> {
        let mut position = Position::default();
        let start = position.choose(name, b"", 0)?;
        Ok(Opened { lines: Lines::new(Box::new(reader), name), position, start })
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    format!("cannot {what} `{}`: {error}; name a file that can be read, or `-` for standard input", path.display())
        .into()
}

/// Whether standard input is a pipe or a file: neither a terminal, where nobody types JSON, nor `/dev/null`.
fn stdin_is_piped() -> bool {
    #[cfg(unix)]
    if let Ok(meta) = std::fs::metadata("/dev/stdin") {
        use std::os::unix::fs::FileTypeExt;
        return !meta.file_type().is_char_device();
    }
    !std::io::stdin().is_terminal()
}
