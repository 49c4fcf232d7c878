"""The report: which sections and figures a sweep has, and what may be said of its laws.

`claims` and `factor_claims` decide which sentence holds, `wording` writes numbers, `figures` says
which figure stands where, `facts` and `factors` gather the tables, `page` fills the template.
"""
