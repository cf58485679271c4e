//! A page of facts and lists, as most stand-ins show themselves: title, counts, sections, what was turned down. Drawn by their
//! `page.rs`; it escapes what it is given as text, and nothing that is pushed as HTML.

use std::fmt::Write as _;

use actix_web::HttpResponse;

use super::{Tongue, escape, frame_in};
use crate::clock::date_time;
use crate::tally::Counts;

/// How many entries of each kind a page shows.
pub(crate) const SHOWN: usize = 100;
/// Where there is nothing yet.
pub(crate) const NOTHING: &str = "<p class=\"none\">Пока ничего.</p>";

/// See the module's head.
pub(crate) struct Sheet {
    title: String,
    body: String,
    tongue: Tongue,
}

impl Sheet {
    /// With its title above; `beside` it stands what tells this account from another, or nothing.
    pub fn new(title: &str, beside: &str) -> Self {
        Self::spoken(Tongue::Ru, title, beside)
    }

    /// The same in one of the languages.
    pub fn spoken(tongue: Tongue, title: &str, beside: &str) -> Self {
        let beside = match beside {
            "" => String::new(),
            beside => format!(" <span>{}</span>", escape(beside)),
        };
        Self {
            title: title.to_owned(),
            body: format!(
                "<header><b>{}</b>{beside}<span class=\"badge\">{}</span></header><main>",
                escape(title),
                tongue.say("симулятор", "simulator"),
            ),
            tongue,
        }
    }

    /// How much there is of what, and how much was turned down.
    pub fn facts(&mut self, facts: &[(&str, usize)], counts: &Counts) {
        self.push("<div class=\"facts\">");
        for (name, number) in facts {
            let _never_fails = write!(
                self.body,
                "<div class=\"fact\">{name}: <b>{number}</b></div>"
            );
        }
        let class = if counts.refused > 0 {
            "fact bad"
        } else {
            "fact"
        };
        let _never_fails = write!(
            self.body,
            "<div class=\"{class}\">{}: <b>{}</b></div></div>",
            self.tongue.say("отклонено", "refused"),
            counts.refused
        );
    }

    /// A section begins.
    pub fn heading(&mut self, words: &str) {
        let _never_fails = write!(self.body, "<h2>{words}</h2>");
    }

    /// HTML.
    pub fn push(&mut self, html: &str) {
        self.body.push_str(html);
    }

    /// HTML, or that there is nothing yet.
    pub fn push_or_nothing(&mut self, html: &str) {
        self.push(if html.is_empty() { NOTHING } else { html });
    }

    /// What was turned down, newest first; nothing when nothing was.
    pub fn refusals(&mut self, counts: &Counts) {
        if counts.refusals.is_empty() {
            return;
        }
        self.heading(self.tongue.say("Отклонено", "Refused"));
        self.push("<ul class=\"refusals\">");
        for one in counts.refusals.iter().rev().take(SHOWN) {
            let _never_fails = write!(
                self.body,
                "<li>{} <b>{}</b> {}: {}</li>",
                date_time(one.at),
                one.status,
                escape(&one.endpoint),
                escape(&one.reason)
            );
        }
        self.push("</ul>");
    }

    /// The page. `style` is added to what all sheets look like.
    pub fn finish(mut self, style: &str) -> HttpResponse {
        self.push("</main>");
        let style = format!("{}{style}", include_str!("sheet.css"));
        frame_in(self.tongue, &self.title, &style, &self.body)
    }
}
