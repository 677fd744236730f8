"""Taesan: a self-hosted micropayment hub for EVM chains. Dust, gathered, makes a mountain."""

__version__ = "0.1.0"
