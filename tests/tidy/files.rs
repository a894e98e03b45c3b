//! The text files of the repository, in the order of their paths.

use std::path::{Path, PathBuf};

/// Folders that hold what is built, or what is not ours.
const LEFT_OUT: [&str; 3] = [".git", "book", "target"];

/// A file with its path from the root of the repository, folders separated by `/`.
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        SourceFile { path: path.into(), text: text.into() }
    }

    /// `path:line: what`, for a finding; lines are counted from 1.
    pub(crate) fn at(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// Every file that is UTF-8.
pub(crate) fn all() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut found) = (vec![root.to_path_buf()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                found.push(SourceFile { path: from_root(root, &path), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The file at `path`.
pub(crate) fn one(path: &str) -> SourceFile {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(full).unwrap_or_else(|error| panic!("cannot read `{path}`: {error}"));
    SourceFile { path: path.into(), text }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list `{}`: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("a folder that was opened can be listed").path())
        .filter(|path| !LEFT_OUT.iter().any(|name| path.ends_with(name)))
        .collect()
}

fn from_root(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).expect("the walk begins at the root");
    inside.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Whether `path` is a Rust file in one of `folders`.
pub(crate) fn is_rust_in(path: &str, folders: &[&str]) -> bool {
    path.ends_with(".rs") && folders.iter().any(|folder| path.starts_with(&format!("{folder}/")))
}
