//! The pages of the examples, as a person uses them: what there is, what is made there, and what others change meanwhile.

use serde_json::json;

use crate::browser::Page;
use crate::service::Service;

const FIRST: &str = "10000000-0000-4000-8000-00000000000a";
const BOOK: &str = "00000000-0000-4000-8000-00000000000b";

#[test]
fn the_calculators_page_shows_values_makes_them_and_follows_them() {
    let service = Service::start("calculator");
    service.once("POST", "/values", FIRST, &json!({ "value": 2.0 }));
    let Some(mut page) = Page::open(service.address()) else { return };
    page.until_says("#link", "live");
    page.until_says("#values li:only-child output", "2");

    page.write("#create input", "7");
    page.click("#create button");
    page.until_says("#values li:nth-child(2) output", "2");
    page.until_says("#values li:first-child output", "7");
    page.write("#values li:first-child input", "5");
    page.click("#values li:first-child button[value=ADD]");
    page.until_says("#values li:first-child output", "12");

    // Somebody else does this, and the page shows it.
    service.put(&format!("/values/{FIRST}"), &json!({ "operation": "MULTIPLY", "value": 21 }));
    page.until_says("#values li:nth-child(2) output", "42");
    page.picture("calculator");
    page.write("#values li:nth-child(2) input", "1e308");
    page.click("#values li:nth-child(2) button[value=MULTIPLY]");
    page.until_says("#problem", "the result is too large for a number");
    page.click("#values li:nth-child(2) button[value=ADD]");
    page.until_says("#values li:nth-child(2) output", "1e+308");
    page.until_says("#problem", "");
    service.put(&format!("/values/{FIRST}"), &json!({ "operation": "MULTIPLY", "value": 0 }));
    page.until_says("#values li:nth-child(2) output", "0");
    page.end();
}

#[test]
fn the_catalogs_page_shows_what_there_is_makes_more_and_follows_it() {
    let service = Service::start("books_catalog");
    let author = json!({ "_type": "CreateAuthor", "code": "eco", "firstName": "Umberto", "lastName": "Eco" });
    service.post("/authors/commands", &author);
    let Some(mut page) = Page::open(service.address()) else { return };
    page.until_says("#link", "live");
    page.until_says("#authors li:only-child b", "Umberto Eco");

    for (field, text) in [("code", "calvino"), ("firstName", "Italo"), ("lastName", "Calvino")] {
        page.write(&format!("#author [name={field}]"), text);
    }
    page.click("#author button");
    page.until("[...document.querySelectorAll('#authors b')].some((author) => author.innerText === 'Italo Calvino')");
    page.write("#book [name=title]", "Invisible Cities");
    page.click("#book button");
    page.until_says("#books li:only-child b", "Invisible Cities");
    page.choose("#books select", "calvino");
    page.until_says("#cards li:only-child span", "Italo Calvino");

    // Somebody else does this, and the page shows it: the cards are joined anew.
    service.post("/books/commands", &json!({ "_type": "CreateBook", "id": BOOK, "title": "Baudolino" }));
    service.post("/books/commands", &json!({ "_type": "SetBookAuthor", "id": BOOK, "author": "eco" }));
    page.until("document.querySelectorAll('#cards li').length === 2");
    page.picture("books_catalog");
    service.post("/authors/commands", &json!({ "_type": "DeleteAuthor", "code": "calvino" }));
    page.until_says("#cards li:only-child span", "Umberto Eco");

    // What is refused is said.
    for (field, text) in [("code", "eco"), ("firstName", "Another"), ("lastName", "Eco")] {
        page.write(&format!("#author [name={field}]"), text);
    }
    page.click("#author button");
    page.until_says("#problem", "Entity already created");
    page.click("#books li:nth-child(2) button");
    page.until("document.querySelectorAll('#books li').length === 1");
    page.end();
}
