/* Calls that do not compile here: no bounds, no errors, or a global state. Forced in front of every
 * file of src/ by CMake. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#undef alloca
#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol atoll atof gmtime localtime \
	ctime asctime alloca strncpy strncat
