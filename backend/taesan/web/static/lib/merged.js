// Several lists of the API, each newest first and in pages, as one. Pure but for what `page` asks.

/**
 * @param {{page: (cursor: string | null) => Promise<{items: object[], next_cursor: string | null}>, at: (item: object) => string}[]} sources
 *   `at`: an RFC 3339 moment in UTC, by which they are put in order
 * @returns {(most: number) => Promise<{entries: {source: object, item: object, at: string}[], isMore: boolean}>} the next ones
 */
export function merged(sources) {
  const lists = sources.map((source) => ({ source, waiting: [], cursor: null, isOver: false }));

  async function fill(list) {
    while (!list.waiting.length && !list.isOver) {
      const { items, next_cursor: cursor } = await list.source.page(list.cursor);
      list.waiting = items.map((item) => ({ source: list.source, item, at: list.source.at(item) }));
      list.cursor = cursor;
      list.isOver = cursor === null;
    }
  }

  return async (most) => {
    const entries = [];
    for (;;) {
      await Promise.all(lists.map(fill));
      const open = lists.filter(({ waiting }) => waiting.length);
      if (entries.length === most || !open.length) return { entries, isMore: open.length > 0 };
      // Compared as moments: the API leaves out a fraction of a second that is zero.
      const next = open.reduce((one, other) => (Date.parse(other.waiting[0].at) > Date.parse(one.waiting[0].at) ? other : one));
      entries.push(next.waiting.shift());
    }
  };
}
