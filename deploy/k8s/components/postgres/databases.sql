-- Run once, on an empty volume: every service has a database of its own, as their tables' names may be the same.
CREATE DATABASE identity;
CREATE DATABASE storage;
CREATE DATABASE validator;
CREATE DATABASE reuse;
