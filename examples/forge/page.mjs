/** The one page of the forge. Everything in it that came from a repository is escaped. */
const escaped = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
const rows = (lines, cells) =>
  lines.map(
    (line) =>
      `<tr>${cells(line)
        .map((cell) => `<td>${escaped(cell)}</td>`)
        .join("")}</tr>`,
  );

export const page = (repositories, runs, index) => `<!doctype html>
<meta charset="utf-8"><title>A small forge</title>
<style>body { font: 15px/1.5 system-ui; margin: 2em auto; max-width: 60em } td { padding: 0 1em 0 0; vertical-align: top }</style>
<h1>A small forge</h1>
<h2>Repositories</h2><table>${rows(repositories, ({ name }) => [name]).join("")}</table>
<h2>Pushes</h2><table id="pushes">${rows([...index].reverse(), (entry) => said(entry)).join("")}</table>
<h2>Runs</h2><table>${rows(runs, ({ run, repository, hook, what, state }) => [run, repository, hook, what, state]).join("")}</table>
<script>
  const said = ${said};
  new EventSource("/pushes").onmessage = ({ data }) => {
    const row = document.createElement("tr");
    for (const text of said(JSON.parse(data))) row.appendChild(document.createElement("td")).textContent = text;
    document.getElementById("pushes").prepend(row);
  };
</script>
`;

/** A push in three cells; also runs in the browser. */
function said({ repository, by, refs, checkIns, files }) {
  return [repository, by.join(", "), `${refs.join(", ")}: ${checkIns.length} check-ins, ${files} files`];
}
