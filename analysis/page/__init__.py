"""The report: which sections and figures a sweep has, and which claims its laws support.

`claims` and `factor_claims` decide which sentence holds, `wording` formats numbers, `figures` has
the figures of the page, `facts` and `factors` gather the tables, `page` fills the template.
"""
