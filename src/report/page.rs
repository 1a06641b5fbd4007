//! The frame of a page, and its tables.

use super::text::{Language, Text, escape, t};

/// A page while it is written.
pub(super) struct Page {
    title: Text,
    body: String,
}

/// One table.
#[derive(Default)]
pub(super) struct Grid {
    caption: Option<Text>,
    columns: Vec<(Text, bool)>,
    rows: Vec<(String, Vec<(String, &'static str)>)>,
}

impl Page {
    pub(super) fn new(title: Text) -> Self {
        Self {
            title,
            body: String::new(),
        }
    }

    /// Adds markup that is safe already.
    pub(super) fn raw(&mut self, html: &str) {
        self.body.push_str(html);
        self.body.push('\n');
    }

    pub(super) fn section(&mut self, id: &str, title: &Text) {
        self.raw(&format!("<h2 id=\"{id}\">{}</h2>", title.html()));
    }

    pub(super) fn heading(&mut self, title: &Text) {
        self.raw(&format!("<h3>{}</h3>", title.html()));
    }

    pub(super) fn paragraph(&mut self, text: &Text) {
        self.raw(&format!("<p>{}</p>", text.html()));
    }

    pub(super) fn note(&mut self, text: &Text) {
        self.raw(&format!("<p class=\"note\">{}</p>", text.html()));
    }

    /// A plot with the table of its numbers beside it.
    pub(super) fn pair(&mut self, figure: &str, caption: &Text, grid: &Grid) {
        self.raw(&format!(
            "<div class=\"pair\"><figure>{figure}<figcaption>{}</figcaption></figure><div class=\"wide\">{}</div></div>",
            caption.html(),
            grid.html()
        ));
    }

    /// A plot with a table below it that is too wide to stand beside.
    pub(super) fn stack(&mut self, figure: &str, caption: &Text, grid: &Grid) {
        self.raw(&format!(
            "<figure class=\"above\">{figure}<figcaption>{}</figcaption></figure><div class=\"wide\">{}</div>",
            caption.html(),
            grid.html()
        ));
    }

    pub(super) fn grid(&mut self, grid: &Grid) {
        self.raw(&format!("<div class=\"wide\">{}</div>", grid.html()));
    }

    /// A table that is opened when it is asked for.
    pub(super) fn folded(&mut self, title: &Text, grid: &Grid) {
        self.raw(&format!(
            "<details><summary>{}</summary><div class=\"wide\">{}</div></details>",
            title.html(),
            grid.html()
        ));
    }

    pub(super) fn finish(self, language: Language) -> String {
        let (lang, zh, en) = match language {
            Language::Zh => ("zh-CN", " checked", ""),
            Language::En => ("en", "", " checked"),
        };
        let switch = t("语言", "Language").plain();
        format!(
            "<!doctype html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n\
             <input type=\"radio\" name=\"language\" id=\"zh\" aria-label=\"中文\"{zh}>\n\
             <input type=\"radio\" name=\"language\" id=\"en\" aria-label=\"English\"{en}>\n\
             <div class=\"switch\" role=\"group\" aria-label=\"{switch}\"><label for=\"zh\">中文</label><label for=\"en\">English</label></div>\n\
             <svg width=\"0\" height=\"0\" style=\"position:absolute\" aria-hidden=\"true\"><defs><pattern id=\"hatch\" width=\"6\" \
             height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" \
             fill=\"#fff\"/><rect width=\"2\" height=\"6\" fill=\"#b3541e\"/></pattern></defs></svg>\n\
             <main>\n<h1>{}</h1>\n{}</main>\n</body>\n</html>\n",
            self.title.plain(),
            include_str!("style.css"),
            self.title.html(),
            self.body
        )
    }
}

impl Grid {
    /// A table with these columns; `true` marks numbers, which stand to the right.
    pub(super) fn new(columns: &[(Text, bool)]) -> Self {
        Self {
            columns: columns.to_vec(),
            ..Self::default()
        }
    }

    pub(super) fn caption(mut self, caption: Text) -> Self {
        self.caption = Some(caption);
        self
    }

    /// Adds a row of texts.
    pub(super) fn row(&mut self, cells: Vec<Text>) {
        self.marked_row("", cells.into_iter().map(|cell| (cell, "")).collect());
    }

    /// Adds a row whose cells, and itself, may carry classes.
    pub(super) fn marked_row(&mut self, class: &str, cells: Vec<(Text, &'static str)>) {
        self.rows.push((
            class.to_owned(),
            cells
                .into_iter()
                .map(|(cell, class)| (cell.html(), class))
                .collect(),
        ));
    }

    fn html(&self) -> String {
        let mut out = String::from("<table>");
        if let Some(caption) = &self.caption {
            out.push_str(&format!("<caption>{}</caption>", caption.html()));
        }
        out.push_str("<thead><tr>");
        for (name, number) in &self.columns {
            let class = if *number { " class=\"n\"" } else { "" };
            out.push_str(&format!("<th scope=\"col\"{class}>{}</th>", name.html()));
        }
        out.push_str("</tr></thead><tbody>");
        for (class, cells) in &self.rows {
            out.push_str(&format!("<tr class=\"{}\">", escape(class)));
            for ((cell, class), (_, number)) in cells.iter().zip(&self.columns) {
                let number = if *number { "n " } else { "" };
                out.push_str(&format!("<td class=\"{number}{class}\">{cell}</td>"));
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table>");
        out
    }
}
