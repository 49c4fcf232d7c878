"""From the results of sweeps to fitted laws, figures and a report.

`report`, `coverage`, `plan` and `anchors` are commands. They import, in this order, `page`,
`figures`, `laws`, and then `stats` and `data`, never the other way.
"""
