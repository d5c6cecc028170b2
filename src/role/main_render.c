#include "role_priv.h"

int main(int argc, char **argv)
{
	return role_main(&role_render, argc, argv);
}
