// The SQL editor. Without scripts, or without CodeMirror, it is a plain text box.

const box = document.getElementById("sql-editor");
const format = document.getElementById("sql-format");

if (box && window.CodeMirror) {
  const editor = window.CodeMirror.fromTextArea(box, {
    mode: "text/x-sql",
    lineNumbers: true,
    lineWrapping: true,
    extraKeys: {
      "Shift-Enter": () => box.form.requestSubmit(),
      "Ctrl-Enter": () => box.form.requestSubmit(),
      // Keys leave the editor by Tab, as any other field.
      Tab: false,
      "Shift-Tab": false,
    },
  });
  editor.getInputField().setAttribute("aria-label", "SQL");
  if (format && window.sqlFormatter) {
    format.hidden = false;
    format.addEventListener("click", () => {
      editor.setValue(window.sqlFormatter.format(editor.getValue()));
    });
  }
}
