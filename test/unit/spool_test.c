/*-------------------------------------------------------------------------
 *
 * spool_test.c
 *		Answers appear whole, under their name, for nobody else to read.
 *
 *-------------------------------------------------------------------------
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "../../src/courier/spool.h"
#include "check.h"

#define ID	"01890a5d-ac96-774b-bcce-b302099a8057"

int
main(void)
{
	char		directory[] = "/tmp/bambi-unit-XXXXXX";
	char		text[64];
	struct iovec parts[3] = {{"head", 4}, {"", 0}, {"picture", 7}};
	struct stat st;
	ssize_t		len;
	int			fd;

	if (mkdtemp(directory) == NULL || chdir(directory) != 0)
		return 1;
	umask(0);

	CHECK(spool_write(ID, 4000000000u, parts, 3), "an answer is written");
	fd = open(ID ".4000000000.answer", O_RDONLY);
	len = read(fd, text, sizeof(text));
	CHECK(len == 11 && memcmp(text, "headpicture", 11) == 0,
		  "its pieces lie one behind the other");
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0600,
		  "only its owner may read it");
	close(fd);
	CHECK(access(ID ".4000000000.answer.tmp", F_OK) != 0,
		  "no temporary file is left");

	parts[0].iov_base = "next";
	CHECK(spool_write(ID, 4000000000u, parts, 1), "it is written again");
	fd = open(ID ".4000000000.answer", O_RDONLY);
	CHECK(read(fd, text, sizeof(text)) == 4, "in place of the first");
	close(fd);

	CHECK(access("end", F_OK) != 0 && spool_end() &&
		  stat("end", &st) == 0 && st.st_size == 0,
		  "the end is an empty file");
	unlink("end");

	/* a name that cannot be had, as on a disk that is full */
	if (symlink("/nowhere/else", ID ".1.answer.tmp") != 0)
		return 1;
	CHECK(!spool_write(ID, 1, parts, 1), "a link is not followed");
	unlink(ID ".1.answer.tmp");

	unlink(ID ".4000000000.answer");
	CHECK(rmdir(directory) == 0, "nothing else was made");
	CHECK(!spool_end() && !spool_write(ID, 1, parts, 1),
		  "failure is reported");
	return check_done();
}
