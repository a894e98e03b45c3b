//! The book: every page is in the summary, and no link leads nowhere.

use std::collections::BTreeSet;

use crate::files::{self, SourceFile};
use crate::{assert_none, check};

/// Where the links of a page lead, as paths from the root of the repository; links to the web and within a page are left out.
fn links(file: &SourceFile) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for after in line.split("](").skip(1) {
            let target = after.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push((index + 1, resolved(&file.path, target)));
            }
        }
    }
    found
}

/// `target` as seen from the folder of `page`.
fn resolved(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

fn dead_links(file: &SourceFile, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let dead = links(file).into_iter().filter(|(_, target)| !exists(target));
    dead.map(|(line, target)| file.at(line, format_args!("links to `{target}`, which is not there"))).collect()
}

fn not_in(summary: &SourceFile, pages: &[String]) -> Vec<String> {
    let listed: BTreeSet<String> = links(summary).into_iter().map(|(_, target)| target).collect();
    pages
        .iter()
        .filter(|page| !listed.contains(*page))
        .map(|page| format!("{page}: is not in {}", summary.path))
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let findings = check(|path| path.ends_with(".md"), |file| dead_links(file, |target| root.join(target).exists()));
    assert_none(&findings, "name the file as seen from the page that links to it");
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = files::one("docs/SUMMARY.md");
    let is_page = |path: &str| path.starts_with("docs/") && path.ends_with(".md") && path != summary.path;
    let pages: Vec<String> = files::all().into_iter().map(|file| file.path).filter(|path| is_page(path)).collect();
    assert_none(&not_in(&summary, &pages), "add a line to docs/SUMMARY.md, else nobody finds the page");
}

#[cfg(test)]
mod the_checks_find {
    use super::*;

    #[test]
    fn a_link_to_nothing_and_a_page_without_a_link() {
        let page =
            SourceFile::new("docs/guide/a.md", "[x](../b.md#part) [y](https://example.org) [z](#here)\n[w](c.md)");
        assert_eq!(links(&page), [(1, "docs/b.md".to_string()), (2, "docs/guide/c.md".to_string())]);
        assert_eq!(dead_links(&page, |path| path == "docs/b.md").len(), 1);
        let pages = ["docs/b.md".to_string(), "docs/d.md".to_string()];
        assert_eq!(not_in(&page, &pages), ["docs/d.md: is not in docs/guide/a.md"]);
    }
}
