/*
 * unit.h - what every unit test begins with
 *
 * cmocka.h wants four headers before it and does not include them.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
