// The scripts' texts in the reader's language: English in the code, as in the templates; Korean comes from the same catalogue.
// Each call holds its text in double quotes, so that `web/words.py` finds it.

export const language = document.documentElement.lang;
const texts = language === "en" ? {} : (await import(`/words/${language}.js`)).default;

const filled = (text, values) => text.replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? String(values[name]) : whole));

/** @param {string} text English, with places such as `%(amount)s`. */
export const _ = (text, values = {}) => filled(texts[text] ?? text, values);

/** One text for one, another for more; `%(count)s` is the number, written as the reader does. */
export function count(one, many, number, values = {}) {
  const text = new Intl.PluralRules("en").select(number) === "one" ? one : many;
  return _(text, { count: new Intl.NumberFormat(language).format(number), ...values });
}
