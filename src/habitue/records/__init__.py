"""What happened: the records of a business, read, checked at the door and held in an engine.

Past this package nobody meets a source's own column names, an unreadable value or a record of unknown date.
It derives nothing about customers: that is `habitue.features`.
"""

from habitue.records import datasets
from habitue.records.customer_log import CustomerLog, History
from habitue.records.door import TableCheck
from habitue.records.engine import DuckDBEngine, Engine
from habitue.records.quarantine import write_quarantine
from habitue.records.readers import Source, read_log, read_records
from habitue.records.schema import SCHEMAS

__all__ = [
    "SCHEMAS",
    "CustomerLog",
    "DuckDBEngine",
    "Engine",
    "History",
    "Source",
    "TableCheck",
    "datasets",
    "read_log",
    "read_records",
    "write_quarantine",
]
