-- Every kind of event group that MySQL writes with GTIDs, over several files. Runs on a fresh
-- server; README.md says how. The rotations are at the FLUSH and where gtid_mode changes.
RESET BINARY LOGS AND GTIDS;
-- binlog.000001: the server's own GTIDs, all kinds of groups.
CREATE DATABASE t; USE t;
CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200)) ENGINE=InnoDB;
CREATE TABLE m (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200)) ENGINE=MyISAM;
INSERT INTO a(v) VALUES('one');
INSERT INTO a(v) VALUES('two'),('three');
BEGIN; INSERT INTO a(v) VALUES('x'); SAVEPOINT s1; INSERT INTO a(v) VALUES('y'); ROLLBACK TO s1; INSERT INTO a(v) VALUES('z'); COMMIT;
BEGIN; INSERT INTO a(v) VALUES('gone'); ROLLBACK;
INSERT INTO m(v) VALUES('my');
CREATE TABLE c SELECT * FROM a;
XA START 'x1'; INSERT INTO a(v) VALUES('xa'); XA END 'x1'; XA PREPARE 'x1'; XA COMMIT 'x1';
XA START 'x2'; INSERT INTO a(v) VALUES('xa2'); XA END 'x2'; XA PREPARE 'x2'; XA ROLLBACK 'x2';
XA START 'x3'; INSERT INTO a(v) VALUES('xa3'); XA END 'x3'; XA COMMIT 'x3' ONE PHASE;
SET binlog_rows_query_log_events=ON; INSERT INTO a(v) VALUES('rows query'); SET binlog_rows_query_log_events=OFF;
SET binlog_transaction_compression=ON; INSERT INTO a(v) VALUES(REPEAT('c', 200)); SET binlog_transaction_compression=OFF;
SET binlog_format=STATEMENT;
SET @u='uservar';
INSERT INTO a(v) VALUES(@u); INSERT INTO a(v) VALUES(rand()); INSERT INTO m(v) VALUES(@u);
BEGIN; INSERT INTO a(v) VALUES('COMMIT'); SAVEPOINT s1; INSERT INTO a(v) VALUES('q'); ROLLBACK TO s1; COMMIT;
LOAD DATA LOCAL INFILE 'load.txt' INTO TABLE a (v);
SET binlog_format=ROW;
TRUNCATE TABLE m;
DELETE FROM a WHERE id=1;
FLUSH BINARY LOGS;
-- binlog.000002: tags, GTIDs of two other servers, and gaps.
SET gtid_next='AUTOMATIC:binlane'; INSERT INTO a(v) VALUES('tagged'); INSERT INTO a(v) VALUES('tagged'); SET gtid_next='AUTOMATIC';
SET gtid_next='AUTOMATIC:a_tag_of_thirty_two_characters_x'; INSERT INTO a(v) VALUES('long tag'); SET gtid_next='AUTOMATIC';
SET gtid_next='11111111-2222-3333-4444-555555555555:1'; INSERT INTO a(v) VALUES('other 1'); SET gtid_next='AUTOMATIC';
SET gtid_next='11111111-2222-3333-4444-555555555555:3'; INSERT INTO a(v) VALUES('other 3'); SET gtid_next='AUTOMATIC';
SET gtid_next='11111111-2222-3333-4444-555555555555:x:1000000000000'; INSERT INTO a(v) VALUES('tagged other'); SET gtid_next='AUTOMATIC';
SET gtid_next='ffffffff-2222-3333-4444-555555555555:2'; BEGIN; COMMIT; SET gtid_next='AUTOMATIC';
SET gtid_next='ffffffff-2222-3333-4444-555555555555:y:9223372036854775806'; BEGIN; COMMIT; SET gtid_next='AUTOMATIC';
SET gtid_next='AUTOMATIC:binlane'; CREATE TABLE d (i INT); SET gtid_next='AUTOMATIC';
SET gtid_next='AUTOMATIC:binlane'; SET binlog_transaction_compression=ON; INSERT INTO a(v) VALUES(REPEAT('c', 200)); SET binlog_transaction_compression=OFF; SET gtid_next='AUTOMATIC';
SET gtid_next='AUTOMATIC:binlane'; XA START 'x4'; INSERT INTO a(v) VALUES('xa4'); XA END 'x4'; XA PREPARE 'x4'; SET gtid_next='AUTOMATIC'; XA COMMIT 'x4';
INSERT INTO a(v) VALUES('plain');
FLUSH BINARY LOGS;
-- binlog.000003: the gap is filled, in the middle of the set.
SET gtid_next='11111111-2222-3333-4444-555555555555:2'; INSERT INTO a(v) VALUES('other 2'); SET gtid_next='AUTOMATIC';
SET gtid_next='11111111-2222-3333-4444-555555555555:5'; INSERT INTO a(v) VALUES('other 5'); SET gtid_next='AUTOMATIC';
SET GLOBAL gtid_mode=ON_PERMISSIVE;
-- binlog.000004 has no group of its own.
SET GLOBAL gtid_mode=OFF_PERMISSIVE;
-- binlog.000005: anonymous groups.
INSERT INTO a(v) VALUES('anonymous');
CREATE TABLE e (i INT);
SET GLOBAL gtid_mode=ON_PERMISSIVE;
SET GLOBAL gtid_mode=ON;
-- binlog.000007: what a server that is stopped writes last.
INSERT INTO a(v) VALUES('last');
