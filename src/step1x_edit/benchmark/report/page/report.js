"use strict";
const form = document.querySelector("form.filters");
const cases = [...document.querySelectorAll(".case")];
const told = document.getElementById("told");

function wanted(one) {
  const ask = new FormData(form);
  return ["task", "language", "state", "subset"].every((name) => {
    const value = ask.get(name);
    return !value || one.dataset[name].split(" ").includes(value);
  });
}

function place(one, order) {
  const number = (name) => (one.dataset[name] === "" ? Infinity : Number(one.dataset[name]));
  if (order === "best") return number("overall") === Infinity ? Infinity : -number("overall");
  return order === "behind" ? number("lead") : number("overall");
}

function show() {
  const order = new FormData(form).get("order");
  const ranked = cases.map((one, first) => [place(one, order), first, one]);
  ranked.sort((a, b) => (a[0] === b[0] ? a[1] - b[1] : a[0] < b[0] ? -1 : 1));
  let shown = 0;
  for (const [, , one] of ranked) {
    one.hidden = !wanted(one);
    shown += one.hidden ? 0 : 1;
    one.parentElement.append(one);
  }
  for (const section of document.querySelectorAll("section.task")) {
    section.hidden = !section.querySelector(".case:not([hidden])");
  }
  told.textContent = `${shown} of ${cases.length} cases`;
}

document.documentElement.classList.remove("no-script");
form.addEventListener("change", show);
form.addEventListener("submit", (event) => event.preventDefault());
show();
