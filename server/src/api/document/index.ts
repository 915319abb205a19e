interface DocumentTexts {
  json: string;
  page: string;
}

/** The API document and its page, made when somebody first asks: most instances are never asked. */
export function createDocument(version: string): {
  json(): Promise<string>;
  page(): Promise<string>;
} {
  let made: Promise<DocumentTexts> | null = null;
  const texts = (): Promise<DocumentTexts> => (made ??= makeTexts(version));
  return { json: async () => (await texts()).json, page: async () => (await texts()).page };
}

async function makeTexts(version: string): Promise<DocumentTexts> {
  const [{ apiDocument }, { renderPage }] = await Promise.all([
    import('./openapi.ts'),
    import('./page.ts'),
  ]);
  const document = apiDocument(version);
  return { json: JSON.stringify(document), page: renderPage(document) };
}
