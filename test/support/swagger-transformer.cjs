// The Nest CLI runs this plugin in the build; the tests need the same, or the OpenAPI document would be bare.
const plugin = require('@nestjs/swagger/plugin');

const options = {
  classValidatorShim: true,
  introspectComments: true,
  dtoFileNameSuffix: ['.dto.ts'],
};

module.exports = {
  name: 'nestjs-swagger',
  version: 1,
  factory: (compiler) => plugin.before(options, compiler.program),
};
