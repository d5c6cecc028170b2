#include "role_priv.h"

int main(int argc, char **argv)
{
	return role_main(&role_fetch, argc, argv);
}
