"""Concepts: yes/no properties of a problem, each an expression over the problems' table.

A module is a family of concepts: (problems, params) -> list[Concept]. All compute on the parsed
steps, so a number is compared as a number and the sign of a number is no operation.
"""
