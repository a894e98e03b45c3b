//! Draws a story: who takes part from left to right, what happens from top to bottom.
//!
//! Rule: the picture says what the Mermaid text of the story says, arrow by arrow, and needs no program to be seen.

use std::fmt::Write;

/// An arrow of a sequence diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) text: String,
}

/// A sequence diagram: participants are numbered as they come.
pub(super) struct Sequence<'a> {
    participants: Vec<&'a str>,
    /// From, to, text.
    arrows: Vec<(usize, usize, &'a str)>,
}

// Pixels.
const LETTER: usize = 7;
const MARGIN: usize = 16;
const HEAD: usize = 28;
const ROW: usize = 34;
/// How far an arrow to oneself reaches.
const LOOP: usize = 28;

impl<'a> Sequence<'a> {
    pub(super) fn of(arrows: impl Iterator<Item = &'a Arrow>) -> Self {
        let mut sequence = Sequence { participants: Vec::new(), arrows: Vec::new() };
        for Arrow { from, to, text } in arrows {
            let arrow = (sequence.number(from), sequence.number(to), text.as_str());
            sequence.arrows.push(arrow);
        }
        sequence
    }

    fn number(&mut self, name: &'a str) -> usize {
        let known = self.participants.iter().position(|known| *known == name);
        known.unwrap_or_else(|| {
            self.participants.push(name);
            self.participants.len() - 1
        })
    }

    pub(super) fn mermaid(&self) -> String {
        let mut out = String::from("sequenceDiagram\n    autonumber\n");
        for (number, name) in self.participants.iter().enumerate() {
            out += &format!("    participant p{number} as {name}\n");
        }
        for (from, to, text) in &self.arrows {
            // Semicolons end statements, and a hash begins an entity.
            let text = text.replace(['#', ';'], " ");
            out += &format!("    p{from}->>p{to}: {text}\n");
        }
        out
    }

    pub(super) fn svg(&self) -> String {
        let lines = self.lines();
        let texts = self.arrows.iter().enumerate();
        let right_of = |(place, (from, to, text)): (usize, &(usize, usize, &str))| {
            let numbered = width(&label(place, text)) + MARGIN;
            lines[*from.min(to)] + numbered + if from == to { LOOP } else { 0 }
        };
        let heads = self.participants.iter().zip(&lines).map(|(name, line)| line + head(name) / 2);
        let wide = texts.map(right_of).chain(heads).max().unwrap_or(0) + MARGIN;
        let high = MARGIN * 2 + HEAD + ROW * (self.arrows.len() + 1);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{wide}\" height=\"{high}\" viewBox=\"0 0 {wide} {high}\" \
             font-family=\"monospace\" font-size=\"11\">\n<title>What happens, step by step</title>\n\
             <rect width=\"{wide}\" height=\"{high}\" rx=\"6\" fill=\"#fff\"/>\n"
        );
        for (name, line) in self.participants.iter().zip(&lines) {
            draw_participant(&mut out, name, *line, high);
        }
        for (place, (from, to, text)) in self.arrows.iter().enumerate() {
            let y = MARGIN + HEAD + ROW * (place + 1);
            draw_arrow(&mut out, (lines[*from], lines[*to], y), &label(place, text));
        }
        out + "</svg>\n"
    }

    /// Where the line of each participant is: far enough apart for what is written between them.
    fn lines(&self) -> Vec<usize> {
        let mut lines: Vec<usize> = Vec::new();
        for (number, name) in self.participants.iter().enumerate() {
            let beside_head = match number.checked_sub(1) {
                Some(before) => lines[before] + (head(self.participants[before]) + head(name)) / 2 + MARGIN,
                None => MARGIN + head(name) / 2,
            };
            // What goes to the left or right ends here; what a neighbour on the left says to itself ends before.
            let texts = self.arrows.iter().enumerate().filter_map(|(place, (from, to, text))| {
                let (left, right) = (*from.min(to), *from.max(to));
                let long = width(&label(place, text)) + 2 * MARGIN;
                match right == left {
                    true if left + 1 == number => Some(lines[left] + LOOP + long),
                    false if right == number => Some(lines[left] + long),
                    _ => None,
                }
            });
            let line = texts.max().unwrap_or(0).max(beside_head);
            lines.push(line);
        }
        lines
    }
}

fn width(text: &str) -> usize {
    text.chars().count() * LETTER
}

/// How wide the box is that a participant's name stands in.
fn head(name: &str) -> usize {
    width(name) + MARGIN
}

fn label(place: usize, text: &str) -> String {
    format!("{}. {text}", place + 1)
}

fn draw_participant(out: &mut String, name: &str, line: usize, high: usize) {
    let (left, wide, bottom) = (line - head(name) / 2, head(name), high - MARGIN);
    let (text, name) = (MARGIN + HEAD / 2 + 4, escaped(name));
    writeln!(
        out,
        "<path d=\"M{line} {MARGIN}V{bottom}\" stroke=\"#999\"/>\
         <rect x=\"{left}\" y=\"{MARGIN}\" width=\"{wide}\" height=\"{HEAD}\" rx=\"4\" fill=\"#e8eef6\" stroke=\"#567\"/>\
         <text x=\"{line}\" y=\"{text}\" text-anchor=\"middle\" fill=\"#123\">{name}</text>"
    )
    .expect("a string takes everything");
}

fn draw_arrow(out: &mut String, (from, to, y): (usize, usize, usize), text: &str) {
    let text = escaped(text);
    let (path, tip, way) = match from.cmp(&to) {
        std::cmp::Ordering::Less => (format!("M{from} {y}H{to}"), to, "-7"),
        std::cmp::Ordering::Greater => (format!("M{from} {y}H{to}"), to, "7"),
        std::cmp::Ordering::Equal => (format!("M{from} {}h{LOOP}v12H{from}", y - 12), to, "7"),
    };
    let (x, baseline) = if from == to { (from + LOOP + 6, y - 2) } else { (from.min(to) + 10, y - 5) };
    writeln!(
        out,
        "<path d=\"{path}\" fill=\"none\" stroke=\"#345\"/><path d=\"M{tip} {y}l{way} -4v8z\" fill=\"#345\"/>\
         <text x=\"{x}\" y=\"{baseline}\" fill=\"#111\">{text}</text>"
    )
    .expect("a string takes everything");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(from: &str, to: &str, text: &str) -> Arrow {
        Arrow { from: from.into(), to: to.into(), text: text.into() }
    }

    #[test]
    fn every_participant_and_every_arrow_is_drawn_and_nothing_is_taken_for_markup() {
        let arrows =
            [arrow("in", "task", "process a < b & c"), arrow("task", "task", "commits"), arrow("task", "in", "x")];
        let svg = Sequence::of(arrows.iter()).svg();
        for text in
            [">in</text>", ">task</text>", ">1. process a &lt; b &amp; c</text>", ">2. commits</text>", ">3. x</text>"]
        {
            assert_eq!(svg.matches(text).count(), 1, "{text} in {svg}");
        }
        assert_eq!(svg.matches("z\" fill=\"#345\"/>").count(), 3, "a tip for each arrow: {svg}");
    }

    #[test]
    fn lines_are_as_far_apart_as_what_is_said_between_them() {
        let long = "x".repeat(100);
        let arrows = [arrow("a", "b", "short"), arrow("b", "b", &long), arrow("a", "c", "short")];
        let lines = Sequence::of(arrows.iter()).lines();
        assert!(lines[1] - lines[0] < 200 && lines[2] - lines[1] > 700, "{lines:?}");
    }
}
