"""The pages' view models filled from the tables (页面数据的读取): plain SQL in, frozen values out, scope
first."""
