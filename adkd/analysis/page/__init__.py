"""The parts of ``results/report.html``: one module per section, and the template, style and script of the page."""
