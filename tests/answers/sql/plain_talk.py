"""Sentences of people that begin with the words of SQL, or of shells, and ask nothing.

None may be answered, and none may get a hint with a sentence. Extend it by what was misunderstood.
The last list was written after the rules, to measure them: of 175 sentences 4 were misunderstood,
two with an answer ("describe happiness" is SQL letter by letter), two with a hint to their sender.
"""

_ENGLISH = """
Select a date from the calendar
Select a date from the calendar.
select a date from the calendar
Select the best one please
select whichever you like
Select your seats before Friday
Select dishes and order by phone
Select all the files from last week and archive them
Select people carefully
Create user stories for the next sprint
Drop schema changes into this thread
Close it
END
End of story
Cluster analysis
with this: a dessert
Selecting the right table is hard
Select one from each group, by the way
Select none if you are unsure
Select a few from the top of the list
SELECT the right option please
select users from Berlin, not from Bonn
Select the user's best option(s) :)
select the first 10 rows and send them to me
select group by the window, it is quieter there
Select *the* best option from the list
select between tea and coffee
select two or three of these
With best regards
With best regards, Anna
With kind regards from the team
With a bit of luck we ship today
With that in mind, set the table please
with or without you
With love
With the new release out, everyone can relax
With this I close the thread (see above).
with thanks to all
With 3 people it works; with 4 it does not.
Set the table please
set the bar to high
Set up a call for Monday
set alarm to 7
Set phasers to stun
Set in stone
set sail
Set your status to away
set it = forget it
SET THE TABLE PLEASE
begin with a walk
Begin with the end in mind
Begin where you left off
begin
Begin!
Begin work.
Begin the meeting without me
Commit
commit
commit to the plan
Commit early, commit often
Commit your changes before lunch
rollback
Rollback went fine
Roll back the deploy
show me the orders
Show me the orders
show me the orders from yesterday
Show your work
Show of hands
show all tables at the fair
show them what you have
SHOW ME THE MONEY
Show up on time please
show some love
Table for two
Table for two at 8 please
Table for two;-)
Table talk
table that for now
Table the motion until Monday
Table manners matter
TABLE FOR TWO
Update on the deploy
Update: all is well
UPDATE: the deploy is done
UPDATE the deploy is done
UPDATE needed
Update me when you are back
update your profile picture set in 2019
Update the set of rules by noon
Updated the doc
update orders
Update everyone on the status where you can
Delete this message
Delete that
delete from here to the end
Delete my account please
Delete the old files from the share
Delete the row, then call me (urgent)
DELETE the old files
Insert coin
Insert the key into the lock
insert into slot machine
Insert more coffee here
Insert your name into the form (capital letters)
Create a table for us at the restaurant
Create value for customers
CREATE VALUE FOR OUR CUSTOMERS
Create a view that people like
Create an index of all books
Create a ticket (high priority) for it
Drop me a line
Drop it
Drop the table reservations, we eat at home
drop by if you like
DROP EVERYTHING
Drop table service is great here
Alter ego
Alter the plan if you must
Alter table legs so that they match
Replace the battery
Replace John with Mary on the schedule
replace me tomorrow
Merge when green
Merge into main when the tests pass
merge the two threads
Truncate the text
Truncate long names please
Describe the problem
Describe what you see
describe it in your own words
Describe yourself in three words
Describe table manners
Desc is short for description
Explain
Explain this to me
explain why it is slow
Explain select statements to the new people
EXPLAIN YOURSELF
Explain the plan again, please
Values matter
Our values matter
values (ours) matter to me
Values and norms, that is it
Use the other one
Use it or lose it
use your head
use caution
Use common sense
USE COMMON SENSE
Call me
call me (maybe)
Call me later
Call the office at 10
Grant me access
Grant wishes
Grant him access to the orders room please
Revoke his access please
Lock the door
lock the tables away
Copy that
Copy me in
Copy and paste it from the doc
Copy this to the wiki
Comment on the ticket please
Comment on the table of contents
Comment below
Do it
Do you know it?
do you have the numbers?
From here on it is easy
From what I see it works
From Berlin with love
From 9 to 5
FROM BERLIN WITH LOVE
Execute the plan
Exec summary is out
Execute on the vision
Start the transaction tomorrow
Start over
Analyze the data first
Analyze this
analyze that
Release the hounds
Release notes are out
Rename the channel
Declare victory
Declare it done
Refresh the page
Vacuum the office
vacuum
Attach the file please
Attach 'em all
Detach and relax
Savepoint is a nice word
Pragma is a word
pragma once in the header
Pragmatic people win
Having said that, let us go
Where is everybody?
Limit yourself to two
Order by phone
Order by Friday please
Group by the door
Join us
Join me on the call
Union meeting at 5
In the end it worked
Values = what we live by
That is a=b, right?
I ran SELECT * FROM orders
select * from orders gives me nothing, why?
SELECT * FROM orders is what I ran.
Select all that apply:
Select 2 people
Select Berlin, then Munich.
Selects are slow today
Select committee meets tomorrow
Select few know this
With great power comes great responsibility
With Anna on holiday, who reviews?
Set, game, match
Show time
Show notes are online
Show must go on
Explain like I'm five
Delete key is broken
Insert mode is on
Update works
Update 2 is out
Update failed again on my machine
Create, review, ship
Drop-in at 4?
Query: who has the keys?
SQL is fun
sql people, lunch?
Query me later
"""
_SHELLS = """
- select the best one
- update the docs
* set the table
1. begin with a walk
2) delete the old files, please
run update on Monday
run select people through security
please try with the other key
try select all, then copy
execute on it
"select a date"
"With best regards"
“Set the table”
select's fine
Select’s fine
update'd be nice
; with that said
/
//
/s
/jk
/etc/hosts
/etc/hosts is wrong
/usr/bin/env python
/tmp is full
/var/log is full
/home
/api/orders returns 500
/orders returns 500
/login doesn't work
/ or . ?
and /tables
.net is fine
.NET people
... and then it broke
...
.gitignore needs an entry
.show us the numbers
.read me first, please
\\o/
\\m/ great
\\alpha is a letter
\\server\\share\\orders
\\d is a digit in a regex
$ ls
# a heading
> quoted text
> SELECT 1
> select * from orders
-> next step
=> it follows
>>> so what?
x => y
mydb=# is my prompt
C:\\temp is full
`ls -l`
`orders`
(see above)
(select the best)
-- signed, Anna
-- the team
"""
_GERMAN = """
Set ist fertig
Select ist auch nur ein Wort
Update kommt morgen
Update: Server läuft wieder
Update von gestern ist eingespielt
Update der Preise ist durch, bitte prüfen
Show war super
Show im Fernsehen heute Abend
Values sind wichtig für uns
Use Case besprechen wir um 10
Table Service gibt es hier nicht
Begin der Besprechung ist um 9
Commit ist drin
Commit von Hans fehlt noch
Merge ist durch
Merge bitte noch heute
Drop ist da
Call um 15 Uhr?
Call mit dem Kunden verschieben wir
Release ist am Montag
Start der Schulung ist um 8
Alter Schwede
Alter, was ist das denn
Alter Tisch zu verkaufen
Desc fehlt noch
Create ist gesperrt
Index und Tabelle sind neu
Kommentar bitte bis morgen
"""
_FRENCH = """
Table ronde demain à 10 h
Table des matières
Table pour deux personnes
Comment ça va ?
Comment on fait pour se connecter ?
Comment on table sur une hausse ?
Set de table rouge
Values est un mot anglais
Use ton badge pour entrer
Commit du matin, chagrin
Merge en cours, ne touchez à rien
Update prévu demain
Show ce soir à 20 h
Select est un mot
Explain est une commande
Call avec le client à 15 h
Do ré mi
Release de demain reportée
« Select » est un mot réservé
"""
_SPANISH = """
Describe el problema
Describe la tabla con tus palabras
Describe lo que ves
Describe bien el error
Set de cuchillos en oferta
Use la puerta de atrás
Use su tarjeta, por favor
Update de la reunión: todo bien
Show de hoy cancelado
Table no es una palabra española
Commit hecho
Call con el cliente a las 3
Select es una palabra inglesa
Copy recibido
Drop de hoy a las 5
Alter ego de Batman
Explain no funciona
Release mañana
"""

_OTHERS = """
Select a nice place for lunch
Select from the following options
Select option B and move on
Select all images with traffic lights
select any seat
Select your favourite colour
select more than one if needed
Select wines are on sale
With regards to the invoice, it was paid in May
With the merger behind us we can focus
With coffee everything is better
With Tom and Jerry away the office is quiet
with 5 minutes left we scored
Without further ado
Set a reminder for 3pm
Set the date = Friday
Set menu is 12 euros
set everything up before noon
Setting up the projector
Begin at the beginning
begin: 9 am, end: 5 pm
Begin boarding now
Show up at nine
Show Bob the report
Show customers respect
Show all of it
Show tables are reserved for the vendors
show notes from monday
Describe your ideal weekend
Describe how the outage happened
Describe in detail
Describe Berlin
Explain later
Explain the joke
Explain to Bob how it works
explain please
Update from Anna: the server is up
Update regarding the invoice
Update available
update complete
Update set for tomorrow
Update tables are in the wiki
Delete key does nothing
Delete everything you know
delete cookies and try again
Delete from the list whoever left
Insert joke here
Insert image below
Insert into the envelope
Create something new
Create table decorations for the party
Create a new channel (private)
Create or replace, that is the question
Drop your bags here
drop table in the corner
Drop a message when done
Drop index finger on the button
Alter nothing
Alter table order for the guests
Alter the recipe: less salt
Replace into the drawer
Replace toner in printer 3
Replace A with B in the doc
Merge lanes ahead
Merge request is open
Merge it into one file
Truncate it
Values are relative
Values: honesty, courage
Values (and virtues) of the team
Use python 3.12 for it
Use case diagrams are attached
Use port 8080
use coupon SAVE10
Call Bob
Call it a day
call off the search
Call (555) 123
Grant application due on Friday
Grant asked about the budget
Lock tables after the party
Copy Bob on the mail
Copy from Anna to Bob
Copy the link
Comment from the CEO
Do not touch
Do we have a table?
Do $5 lunches exist?
From Anna
From next week on
from scratch
From A to B
Execute order 66
Start now
start transaction of the house sale next week
Analyze results
Analyze orders from last year please
Release v2
Rename it
Declare war
Refresh
Commit to memory
Commit by Friday
COMMIT TO QUALITY
rollback to 1.2
Rollback plan is ready
Table 5 is free
Table is set
Pragma is dead
pragma-free code
Vacuum cleaner broke
Attach both
Release savepoint jokes
Desc of the bug is missing
Sql is a language
SQL injection training tomorrow
Query is slow since noon
/thanks everyone
/10 would recommend
/path/to/file is missing
/b is a closing tag
/nick is gone
/24 is the mask
.env is not in git
.5 is enough
.csv or .xlsx?
\\n is a newline
\\begin{document}
>>> look here
=> done
Limit 10 per person
Where are the orders from May?
Listen to this
listen up
Kill it
kill 9 birds with one stone
Load the dishwasher
Handler is missing
Reset your password
reset everything
Notify me
Optimize for fun
Prepare a table for six
prepare slides from last year
Security first
Install python
Flush it
Discard all changes please
Unlock the door
Do what (you) want
'Select a date'
Join the call
Order by noon
Having fun
Union of both lists
Kann jemand select erklären?
With anderen Worten: nein
Show mal her
Update? Nein danke
Set schon fertig?
Describe la situación actual
Use la tabla de la derecha
Explain plan por favor
Table basse à vendre
Set de clés perdu
Comment va le serveur ?
Select un plat du menu
Select eine Farbe aus der Liste
With freundlichen Grüßen
Delete bitte die alten Dateien
Insert hier deinen Namen
Create bitte ein Ticket
Drop mal eine Nachricht
Alter Name bleibt bestehen
Call me maybe = best song
Begin; then stop
update: a -> b works
Select (if you can) the green one
Select a size: S, M, L
Select the column total_amount in the sheet
Select sheet 2, cell B5
Select user_id from the dropdown
select the orders.csv file
Show the result of count(*) to Bob
Explain what SELECT * does
Explain GROUP BY to me please
Delete rows where the total is null, by hand
Update the price = 5 in the sheet
Describe the difference between LEFT JOIN and INNER JOIN
With GROUP BY it is easy
select wine from france lime queen
select photos from paris adn rome
select music from bands you like
select a table form the list
select group bye the window
select seats from rows near windows
delete cookies form browsers
update photos set in 2019 where needed
select books from shelves where dust lies
update cars set for 2020 where possible
select images from folder order later
select cookies from jars adn eat
"""

PLAIN_TALK = [
    line
    for text in (_ENGLISH, _SHELLS, _GERMAN, _FRENCH, _SPANISH, _OTHERS)
    for line in text.strip().split("\n")
]
