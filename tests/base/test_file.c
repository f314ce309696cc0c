/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/base/base_fixture.h"

Test(file, joins_paths_with_one_slash)
{
    char path[CN_PATH_MAX], longest[CN_PATH_MAX + 8];

    cr_assert_eq(cn_path_join(path, "a", "b"), CN_OK);
    cr_assert_str_eq(path, "a/b");
    cr_assert_eq(cn_path_join(path, "a/", "b"), CN_OK);
    cr_assert_str_eq(path, "a/b");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    cr_assert_eq(cn_path_join(path, "a", longest), CN_E_TOO_LARGE);
    cr_assert_str_eq(path, "");
}

Test(file, what_is_written_is_read_back_with_its_mode)
{
    struct fixture fixture = fixture_new("key");
    struct stat info;
    struct cn_buf buf;

    cr_assert_eq(cn_file_write(fixture.path, "first", 5, 0600, NULL), CN_OK);
    cr_assert_eq(cn_file_write(fixture.path, "second\0x", 8, 0600, NULL), CN_OK);
    cr_assert_eq(stat(fixture.path, &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0600);
    cr_assert_eq(cn_file_read(&buf, fixture.path, 100, NULL), CN_OK);
    cr_assert_eq(buf.len, 8);
    cr_assert_arr_eq(buf.data, "second\0x\0", 9);
    cn_buf_clear(&buf);
    fixture_free(&fixture);
}

Test(file, reading_has_a_maximum)
{
    struct fixture fixture = fixture_new("data");
    struct cn_diag diag = {0};
    struct cn_buf buf;

    cr_assert_eq(cn_file_write(fixture.path, "12345678", 8, 0644, NULL), CN_OK);
    cr_assert_eq(cn_file_read(&buf, fixture.path, 8, NULL), CN_OK);
    cn_buf_clear(&buf);
    cr_assert_eq(cn_file_read(&buf, fixture.path, 7, &diag), CN_E_TOO_LARGE);
    cr_assert_str_eq(diag.text, "larger than the 7 bytes allowed");
    cn_buf_clear(&buf);
    cr_assert_eq(cn_file_write(fixture.path, "", 0, 0644, NULL), CN_OK);
    cr_assert_eq(cn_file_read(&buf, fixture.path, 0, NULL), CN_OK);
    cr_assert_eq(buf.len, 0);
    cn_buf_clear(&buf);
    fixture_free(&fixture);
}

Test(file, reads_large_files_whole)
{
    struct fixture fixture = fixture_new("large");
    size_t len = 300001;
    char *bytes = malloc(len);
    struct cn_buf buf;

    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 7 % 251);
    cr_assert_eq(cn_file_write(fixture.path, bytes, len, 0644, NULL), CN_OK);
    cr_assert_eq(cn_file_read(&buf, fixture.path, 1 << 20, NULL), CN_OK);
    cr_assert_eq(buf.len, len);
    cr_assert_eq(memcmp(buf.data, bytes, len), 0);
    cn_buf_clear(&buf);
    free(bytes);
    fixture_free(&fixture);
}

Test(file, says_what_is_missing_or_no_file)
{
    struct fixture fixture = fixture_new("absent");
    struct cn_diag diag = {0};
    struct cn_buf buf;

    cr_assert_eq(cn_file_read(&buf, fixture.path, 10, &diag), CN_E_NOT_FOUND);
    cr_assert_str_eq(diag.text, "can not be opened: No such file or directory");
    cr_assert_eq(cn_file_read(&buf, fixture.folder, 10, NULL), CN_E_IO, "a folder");
    cr_assert_not(cn_file_exists(fixture.path));
    cr_assert(cn_file_exists(fixture.folder));
    fixture_free(&fixture);
}

/* /dev/full takes nothing, so it can stand for a full disk where a file is written to. */
Test(file, a_full_disk_has_its_own_error)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    cr_assert_geq(fd, 0);
    cr_assert_eq(cn_file_write_all(fd, "x", 1), CN_E_NOSPACE);
    close(fd);
}

Test(file, a_failed_write_keeps_the_old_content_and_leaves_nothing_beside_it)
{
    struct fixture fixture = fixture_new("kept");
    struct rlimit limit = {4, RLIM_INFINITY};
    struct cn_diag diag = {0};
    struct cn_buf buf;
    char beside[CN_PATH_MAX + 32];

    cr_assert_eq(cn_file_write(fixture.path, "old", 3, 0644, NULL), CN_OK);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(cn_file_write(fixture.path, "too long for the limit", 22, 0644, &diag), CN_E_IO);
    limit.rlim_cur = RLIM_INFINITY;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_str_eq(diag.text, "can not be written: File too large");
    snprintf(beside, sizeof beside, "%s.new-%ld", fixture.path, (long)getpid());
    cr_assert_not(cn_file_exists(beside));
    cr_assert_eq(cn_file_read(&buf, fixture.path, 10, NULL), CN_OK);
    cr_assert_arr_eq(buf.data, "old", 4);
    cn_buf_clear(&buf);
    fixture_free(&fixture);
}

Test(file, what_is_no_file_is_not_replaced)
{
    struct fixture fixture = fixture_new("pipe");
    const char *path = fixture.path;
    struct cn_diag diag = {0};
    struct stat info;

    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(cn_file_write(path, "x", 1, 0600, &diag), CN_E_EXISTS);
    cr_assert(strstr(diag.text, "no regular file"));
    cr_assert(stat(path, &info) == 0 && S_ISFIFO(info.st_mode));
    cr_assert(unlink(path) == 0 && mkdir(path, 0700) == 0);
    cr_assert_eq(cn_file_write(path, "x", 1, 0600, NULL), CN_E_EXISTS);
    fixture_free(&fixture);
}

Test(file, a_folder_that_is_missing_is_named)
{
    struct cn_diag diag = {0};

    cr_assert_eq(cn_file_write("/nonexistent/x", "a", 1, 0644, &diag), CN_E_NOT_FOUND);
    cr_assert_str_eq(diag.place, "/nonexistent/x");
    cr_assert_eq(cn_folder_sync("/nonexistent"), CN_E_NOT_FOUND);
}

Test(file, makes_folders_and_those_above)
{
    struct fixture fixture = fixture_new("a/b/c/");
    struct cn_diag diag = {0};
    struct stat info;
    char path[CN_PATH_MAX];

    cr_assert_eq(cn_folder_make(fixture.path, 0700, &diag), CN_OK);
    cr_assert_eq(cn_folder_make(fixture.path, 0700, &diag), CN_OK, "a second time");
    cr_assert_eq(stat(fixture.path, &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0700);
    cr_assert_eq(cn_path_join(path, fixture.folder, "plain"), CN_OK);
    cr_assert_eq(cn_file_write(path, "", 0, 0644, NULL), CN_OK);
    cr_assert_eq(cn_folder_make(path, 0700, &diag), CN_E_EXISTS);
    cr_assert_str_eq(diag.text, "is there already and is not a folder");
    cr_assert_eq(cn_path_join(path, fixture.folder, "plain/below"), CN_OK);
    cr_assert_eq(cn_folder_make(path, 0700, NULL), CN_E_IO);
    fixture_free(&fixture);
}

Test(file, paths_that_are_too_long_are_refused)
{
    char path[CN_PATH_MAX + 1];

    memset(path, 'x', CN_PATH_MAX);
    path[CN_PATH_MAX] = '\0';
    cr_assert_eq(cn_file_write(path, "a", 1, 0644, NULL), CN_E_TOO_LARGE);
    cr_assert_eq(cn_folder_make(path, 0755, NULL), CN_E_TOO_LARGE);
}

Test(file, a_lock_keeps_others_out_until_its_process_ends)
{
    struct fixture fixture = fixture_new("lock");
    struct cn_diag diag = {0};
    int ready[2], fd, status;
    char byte;
    pid_t child;

    cr_assert_eq(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        int held;

        if (cn_file_lock(fixture.path, &held, NULL) != CN_OK || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    cr_assert_eq(cn_file_lock(fixture.path, &fd, &diag), CN_E_BUSY);
    cr_assert_eq(fd, -1);
    cr_assert_str_eq(diag.text, "another process works in this folder");
    kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(cn_file_lock(fixture.path, &fd, NULL), CN_OK);
    close(fd);
    cr_assert_eq(cn_file_lock("/nonexistent/lock", &fd, NULL), CN_E_NOT_FOUND);
    fixture_free(&fixture);
}
