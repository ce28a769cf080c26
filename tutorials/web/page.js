// What the pages do by themselves: they ask for predictions, search, and let the keyboard reach what scrolls.

const kept = {  // a page on disk may have no storage
    get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
    set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* it is not kept */ } },
};

function askForPredictions() {
    for (const form of document.querySelectorAll("form.prediction")) {
        const number = form.dataset.of;
        const key = `minialex ${location.pathname.split("/").at(-1)} ${number}`;
        const folds = [...document.querySelectorAll(`details.outcome[data-of="${number}"]`)];
        const said = form.querySelector(".said");
        let open = false;
        form.hidden = false;
        const unfold = (prediction) => {
            open = true;
            said.textContent = prediction ? `You predicted: ${prediction}` : "You made no prediction.";
            folds.forEach((fold) => { fold.open = true; });
            kept.set(key, prediction);
        };
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            const prediction = (new FormData(form).get("prediction") ?? "").trim();
            if (prediction) unfold(prediction);
            else said.textContent = "Predict first: a guess will do.";
        });
        form.querySelector(".quiet").addEventListener("click", () => unfold(""));
        for (const fold of folds) {
            fold.querySelector("summary").addEventListener("click", (event) => {
                if (open) return;
                event.preventDefault();
                said.textContent = "Predict first: a guess will do.";
                form.querySelector("input").focus();
            });
        }
        const before = kept.get(key);
        if (before !== null) unfold(before);
    }
}

function letTheKeyboardScroll() {
    for (const box of document.querySelectorAll("pre, figure, table, math[display=block]")) {
        const scrolls = box.scrollWidth > box.clientWidth + 1;
        box.classList.toggle("scrolls", scrolls);
        if (scrolls) box.tabIndex = 0;
        else box.removeAttribute("tabindex");
    }
}

function search() {
    const list = document.getElementById("results");
    if (!list) return;
    const query = (new URLSearchParams(location.search).get("q") ?? "").trim();
    document.querySelector("input[name=q]").value = query;
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const count = (text, word) => text.toLowerCase().split(word).length - 1;
    const hits = [];
    for (const [page, anchor, title, heading, text] of words.length ? FOUND : []) {
        const amounts = words.map((word) => 20 * count(heading, word) + count(text, word));
        const exact = heading.toLowerCase() === words.join(" ") ? 1000 : 0;
        const score = exact + amounts.reduce((a, b) => a + b);
        if (amounts.every(Boolean)) hits.push({ page, anchor, title, heading, text, score });
    }
    hits.sort((a, b) => b.score - a.score);
    document.getElementById("count").textContent =
        words.length ? `${hits.length} ${hits.length === 1 ? "section" : "sections"} with “${query}”` : "Type a word above.";
    for (const { page, anchor, title, heading, text } of hits.slice(0, 60)) {
        const item = list.appendChild(document.createElement("li"));
        const link = item.appendChild(document.createElement("a"));
        link.href = `${page}${anchor && "#"}${anchor}`;
        link.textContent = heading === title ? title : `${title}: ${heading}`;
        const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - 60);
        item.appendChild(document.createElement("p")).textContent =
            `${at ? "…" : ""}${text.slice(at, at + 160)}${at + 160 < text.length ? "…" : ""}`;
    }
}

askForPredictions();
search();
letTheKeyboardScroll();
addEventListener("resize", letTheKeyboardScroll);
for (const fold of document.querySelectorAll("details")) fold.addEventListener("toggle", letTheKeyboardScroll);
